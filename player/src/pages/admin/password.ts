/** First passwords that can be read out over the telephone. Pure, given the random bytes. */

const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"; // Without l, 1, i, o, 0: they are misread.
const LENGTH = 12; // 12 x log2(31) is 59 bits.

export function generatePassword(fill: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): string {
  let text = "";
  while (text.length < LENGTH) {
    for (const byte of fill(new Uint8Array(32))) {
      // Bytes past the last whole multiple would favour the first letters.
      if (byte < 248 && text.length < LENGTH) text += LETTERS[byte % LETTERS.length] ?? "";
    }
  }
  return text.replace(/(.{4})(?=.)/g, "$1-");
}
