/** `fleetban key agent|coordinator|operator`: credentials for somebody with a role. */
import { Command, Option } from "commander";
import type { Role } from "../../wire/rights.ts";
import { checksOf } from "../arguments.ts";
import { JSON_OPTION } from "../context.ts";
import { issueCredentials } from "./identity.ts";
import type { KeyContext } from "./key.ts";
import { openKeyFolder } from "./key-folder.ts";
import { dirOption, endOf, refuseToOverwrite, renewOption, type FolderOption } from "./options.ts";

interface CredentialsOptions extends FolderOption {
  for: number;
  renew?: true;
}

export const agentCommand = (context: KeyContext): Command =>
  credentialsCommand(context, "agent", "credentials of a mail host's agent").action(
    issue(context, () => "agent"),
  );

export const coordinatorCommand = (context: KeyContext): Command =>
  credentialsCommand(context, "coordinator", "credentials of a coordinator").action(
    issue(context, () => "coordinator"),
  );

export const operatorCommand = (context: KeyContext): Command =>
  credentialsCommand(context, "operator", "credentials for the fleetban program")
    .addOption(new Option("--viewer", "may ask, but change nothing").conflicts("support"))
    .option("--support", "may ask, lift bans of single addresses, and allow them for some days")
    .action(
      issue(context, ({ viewer, support }) =>
        viewer ? "viewer" : support ? "support" : "operator",
      ),
    );

/** The command that makes credentials of this role. */
export const nounOf = (role: Role): "agent" | "coordinator" | "operator" =>
  role === "viewer" || role === "support" ? "operator" : role;

/** Where credentials lie in the key folder. */
export function credentialsFile(role: Role, name: string): string {
  return `${nounOf(role)}s/${name}.creds`;
}

function credentialsCommand({ output }: KeyContext, noun: string, description: string): Command {
  const check = checksOf(`key ${noun}`, output.note);
  const whose = noun === "agent" ? "the host, as its agent names it" : "whom they name";
  return new Command(noun)
    .description(description)
    .argument("<name>", whose, check.identity)
    .addOption(
      new Option("--for <duration>", "valid so long; -1: until revoked")
        .argParser(check.seconds)
        .default(Infinity, "-1"),
    )
    .addOption(renewOption())
    .addOption(dirOption())
    .option(...JSON_OPTION);
}

interface RoleOptions {
  viewer?: true;
  support?: true;
}

function issue({ output, now }: KeyContext, roleOf: (options: RoleOptions) => Role) {
  return async (name: string, options: CredentialsOptions & RoleOptions): Promise<void> => {
    const role = roleOf(options);
    const folder = openKeyFolder(options.dir);
    const file = credentialsFile(role, name);
    const isThere = folder.has(file);
    if (isThere && !options.renew) refuseToOverwrite(folder.at(file));
    const until = endOf(options.for, now());
    folder.write(file, await issueCredentials(folder, { role, name, now: now(), until }));
    const end = until === null ? null : new Date(until).toISOString();
    if (options.json) await output.jsonLine({ role, name, file: folder.at(file), until: end });
    else output.line(`${folder.at(file)}: ${role} ${name}, valid until ${end ?? "revoked"}`);
    if (!isThere || options.json) return;
    output.note("those from before are valid, too, until you revoke them: when these are in their");
    output.note(`place, fleetban key revoke ${name} --old --dir ${options.dir}`);
  };
}
