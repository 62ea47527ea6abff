/** What the forms of the shelves hold, and what of it is sent. Pure. */
import type { Instructor, NewInstructor, NewVenue, Venue } from "@/api/shelves";

const BETWEEN = /[、,，;；\n]+/;

/** Words as people list them: 党史、党章, 民族团结. */
export function splitWords(text: string): string[] {
  const words = text.split(BETWEEN).map((word) => word.trim());
  return [...new Set(words.filter((word) => word !== ""))];
}

/** An empty number field is "" or NaN in the page and null for the server. */
export function readNumber(value: number | string | null): number | null {
  if (value === null || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

export type VenueDraft = ReturnType<typeof readVenue>;
export function readVenue(venue: Venue | null) {
  return {
    name: venue?.name ?? "",
    kind: venue?.kind ?? "scene",
    place: venue?.place ?? "",
    description: venue?.description ?? "",
    contact_name: venue?.contact_name ?? "",
    contact_phone: venue?.contact_phone ?? "",
    capacity_count: (venue?.capacity_count ?? "") as number | string,
    is_published: venue?.is_published ?? true,
  };
}
export function writeVenue(draft: VenueDraft): NewVenue {
  return {
    ...draft,
    name: draft.name.trim(),
    capacity_count: readNumber(draft.capacity_count),
  };
}

export type InstructorDraft = ReturnType<typeof readInstructor>;
export function readInstructor(teacher: Instructor | null) {
  return {
    name: teacher?.name ?? "",
    unit_name: teacher?.unit_name ?? "",
    job_title: teacher?.job_title ?? "",
    level: teacher?.level ?? "",
    topics: (teacher?.topics ?? []).join("、"),
    biography: teacher?.biography ?? "",
    appointed_from: teacher?.appointed_from ?? "",
    appointed_until: teacher?.appointed_until ?? "",
    is_published: teacher?.is_published ?? true,
  };
}
/** The account that somebody signs in with is not touched here. */
export function writeInstructor(draft: InstructorDraft): NewInstructor {
  return {
    ...draft,
    name: draft.name.trim(),
    topics: splitWords(draft.topics),
    appointed_from: draft.appointed_from || null,
    appointed_until: draft.appointed_until || null,
  };
}
