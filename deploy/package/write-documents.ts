/** npm run docs: writes the documents and rules that are made from other files. */
import { writeFile } from "node:fs/promises";
import { CONFIGURATION_PAGE, configurationPage } from "./configuration-page.ts";
import { WARNING_RULES, warningRules } from "./warning-rules.ts";

await writeFile(CONFIGURATION_PAGE, configurationPage());
await writeFile(WARNING_RULES, warningRules());
