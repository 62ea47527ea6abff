/** Calls of the API about searching, typed by the generated schema. */
import { body, client } from "./http";
import type { components } from "./schema";

type Schemas = components["schemas"];

export type SearchKind = Schemas["SearchKind"];
export type SearchHit = Schemas["SearchHit"];
export type SearchMoment = Schemas["SearchMoment"];
export type SearchPage = Schemas["SearchPage"];
export type Suggestion = Schemas["SearchSuggestion"];
export type MarkedText = Schemas["MarkedText"];

interface SearchQuery {
  q: string;
  kind?: SearchKind;
  page?: number;
  page_size?: number;
}

export const searching = {
  search: (query: SearchQuery, signal?: AbortSignal) =>
    body(client.GET("/api/v1/search", { params: { query }, signal })),
  suggest: (q: string, signal?: AbortSignal) =>
    body(client.GET("/api/v1/search/suggest", { params: { query: { q } }, signal })),
};
