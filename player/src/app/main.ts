/** Composition root of the player. */
import { createPinia } from "pinia";
import { createApp } from "vue";
import "@/styles/index.css";
import App from "./App.vue";
import { createTexts } from "./i18n";
import { usePreferences } from "./preferences";
import { createPages } from "./router";
import { useSession } from "./session";

const app = createApp(App);
app.use(createPinia());
const preferences = usePreferences();
const session = useSession();
app.use(createTexts(preferences.lang));
app.use(
  createPages({
    ensure: session.ensure,
    isSignedIn: () => session.account !== null,
    may: session.may,
    mustChoosePassword: () => session.mustChoosePassword,
  }),
);
app.mount("#app");
