/// <reference types="vite/client" />
declare module "*.vue" {
  import type { DefineComponent } from "vue";
  const component: DefineComponent<object, object, unknown>;
  export default component;
}
declare module "hls.js/dist/hls.worker.js?url" {
  const url: string;
  export default url;
}
declare module "media-chrome/dist/lang/zh-CN.js";
