/** Title of the browser tab: the page's own words first. */
export function setPageTitle(page: string, site: string): void {
  document.title = page ? `${page} · ${site}` : site;
}
