import vue from "@vitejs/plugin-vue";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [
    vue({
      template: { compilerOptions: { isCustomElement: (tag) => tag.startsWith("media-") } },
    }),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
    __VUE_I18N_FULL_INSTALL__: "false",
    __VUE_I18N_LEGACY_API__: "false",
    __INTLIFY_PROD_DEVTOOLS__: "false",
  },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // A strict content policy then needs no data: scripts or styles.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700, // hls.js, loaded only with the first player.
  },
  worker: { format: "es" },
  server: {
    host: "127.0.0.1",
    proxy: Object.fromEntries(
      ["/api", "/live", "/media", "/whip", "/whep"].map((path) => [
        path,
        { target: process.env.HALL_DEV_ORIGIN ?? "http://127.0.0.1:8080", bypass: pageOrApi },
      ]),
    ),
  },
  test: { environment: "jsdom", include: ["tests/**/*.test.ts"], restoreMocks: true },
});

/** `/live` is both a page and a media prefix: a navigation gets the page. */
function pageOrApi(request: { headers: Record<string, unknown>; url?: string }) {
  const isPage = String(request.headers.accept ?? "").includes("text/html");
  return isPage ? "/index.html" : undefined;
}
