// Reads {"name": "playlist text", ...} from stdin, parses each in strict mode, prints {"name": "error"}.
import { readFileSync } from 'node:fs'
import HLS from 'hls-parser'

HLS.setOptions({ strictMode: true })
const failures = {}
let count = 0
for (const [name, text] of Object.entries(JSON.parse(readFileSync(0, 'utf8')))) {
  count += 1
  try {
    HLS.parse(text)
  } catch (error) {
    failures[name] = String(error.message ?? error)
  }
}
console.log(JSON.stringify({ count, failures }))
