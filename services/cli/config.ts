/** `fleetban config show`: what this program is set to, and by whom. */
import { Command } from "commander";
import type { SettingRow } from "../config/config-origins.ts";
import type { Context, JsonOption } from "./context.ts";

export interface ConfigContext extends Pick<Context, "output"> {
  /** Throws a PlainError where the configuration cannot be used. */
  settingOrigins: () => Promise<SettingRow[]>;
}

export function configCommand({ output, settingOrigins }: ConfigContext): Command {
  const show = new Command("show")
    .description("every setting of this program, and where it comes from")
    .option("--json", "print the answer as one JSON document")
    .addHelpText("after", MORE)
    .action(async ({ json }: JsonOption) => {
      const settings = await settingOrigins();
      if (json) await output.jsonLine({ settings });
      else {
        const rows = settings.map(({ setting, value, origin }) => [setting, value, origin]);
        output.table([["SETTING", "VALUE", "FROM"], ...rows]);
      }
    });
  return new Command("config").description("what this program is set to").addCommand(show);
}

const MORE = `
The settings of an agent or a coordinator are those of its machine:
"fleetban-agent config" and "fleetban-coordinator config" show them there.
`;
