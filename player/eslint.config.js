import js from "@eslint/js";
import prettier from "eslint-config-prettier";
import vue from "eslint-plugin-vue";
import a11y from "eslint-plugin-vuejs-accessibility";
import globals from "globals";
import ts from "typescript-eslint";

export default ts.config(
  { ignores: ["dist", "node_modules", "coverage", "src/api/schema.d.ts"] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...vue.configs["flat/recommended"],
  ...a11y.configs["flat/recommended"],
  {
    languageOptions: { globals: { ...globals.browser } },
    rules: {
      "no-undef": "off", // TypeScript knows better.
      eqeqeq: ["error", "smart"],
      "no-console": "error",
      "vue/component-name-in-template-casing": ["error", "PascalCase", { ignores: ["/^media-/"] }],
      // Numbers carry their unit: at_s, step_ms.
      "vue/prop-name-casing": ["error", "camelCase", { ignoreProps: ["/_(s|ms)$/"] }],
      "vue/no-deprecated-slot-attribute": "off", // media-chrome uses real DOM slots.
      "vuejs-accessibility/label-has-for": [
        "error",
        { required: { some: ["nesting", "id"] }, allowChildren: true },
      ],
      "vuejs-accessibility/media-has-caption": "off", // Caption tracks are added when a lecture has them.
      "vuejs-accessibility/no-static-element-interactions": "error",
    },
  },
  { files: ["**/*.vue"], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    files: ["dev/**", "*.js", "vite.config.ts"],
    languageOptions: { globals: { ...globals.node } },
    rules: { "no-console": "off" },
  },
  prettier,
);
