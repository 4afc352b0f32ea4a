/** `fleetban key revoke|push`: takes credentials their force, at once, on live connections too. */
import { Command, Option } from "commander";
import { EXIT, PlainError } from "../../process/exit.ts";
import { ROLES, type Role } from "../../wire/rights.ts";
import { checksOf, UsageError } from "../arguments.ts";
import { JSON_OPTION } from "../context.ts";
import { endWebSessions } from "./end-web-sessions.ts";
import { credentialsFile, nounOf } from "./credentials-command.ts";
import { accountOf, readRevocations, renewReach, revokeKeys } from "./identity.ts";
import { readIssued, type Issued } from "./issued.ts";
import type { KeyContext } from "./key.ts";
import { openKeyFolder, type KeyFolder } from "./key-folder.ts";
import { dirOption, type FolderOption } from "./options.ts";
import { pushAccounts } from "./push.ts";
import { defaultAccounts } from "./server-config.ts";
import { readServers, writeServerConfig } from "./server-files.ts";

interface RevokeOptions extends FolderOption {
  role?: Role;
  old?: true;
}

export function revokeCommand(context: KeyContext): Command {
  const { output, now } = context;
  const check = checksOf("key revoke", output.note);
  return new Command("revoke")
    .description("take away what somebody may do, at once, and tell the NATS servers")
    .argument("<name>", "host, coordinator, or whoever uses the fleetban program", check.identity)
    .addOption(new Option("--role <role>", "where several have this name").choices(ROLES))
    .option("--old", "only what --renew has replaced: the newest credentials stay valid")
    .addOption(dirOption())
    .option(...JSON_OPTION)
    .action(async (name: string, { role, old, dir, json }: RevokeOptions) => {
      const folder = openKeyFolder(dir);
      const theirs = entriesOf(folder, name, role);
      const newest = theirs[theirs.length - 1];
      const revoked = old ? replacedOf(folder, theirs, dir) : theirs;
      if (newest) {
        const keys = revoked.map(({ key }) => key);
        await revokeKeys(folder, accountOf(newest.role), keys, now);
      }
      for (const server of readServers(folder)) writeServerConfig(folder, server);
      if (!old) for (const each of theirs) folder.remove(credentialsFile(each.role, name));
      const servers = await pushOr(context, folder, dir);
      await endWebSessions(folder, context.natsUrl(), now());
      noteServersThatForget(context, folder, dir);
      const who = `${newest?.role} ${name}`;
      if (json) {
        await output.jsonLine({ name, role: newest?.role, keys: revoked.length, servers });
      } else if (old) {
        const kept = `those made at ${newest?.at} stay valid`;
        output.line(`${who}: older credentials are revoked on ${servers.join(", ")}; ${kept}`);
      } else output.line(`${who} is revoked on ${servers.join(", ")}`);
    });
}

/** The credentials that a newer one has replaced, and that are not revoked yet. */
function replacedOf(folder: KeyFolder, theirs: readonly Issued[], dir: string): Issued[] {
  const revocations = readRevocations(folder);
  const newest = theirs[theirs.length - 1];
  const replaced = theirs.slice(0, -1).filter(({ key }) => !(key in revocations));
  if (newest && newest.key in revocations) {
    const text = `${newest.role} ${newest.name}: its newest credentials are revoked, too`;
    throw new PlainError(`${text}; all are: nothing to do`, EXIT.refused);
  }
  if (newest && replaced.length === 0) {
    const noun = nounOf(newest.role);
    const remedy = `fleetban key ${noun} ${newest.name} --renew --dir ${dir} makes new ones first`;
    const text = `${newest.role} ${newest.name}: has one set of credentials, and no older one`;
    throw new PlainError(`${text}; ${remedy}`, EXIT.refused);
  }
  return replaced;
}

export function pushCommand(context: KeyContext): Command {
  const { output, now } = context;
  return new Command("push")
    .description("tell the NATS servers what is revoked, and what hosts of this version may do")
    .addOption(dirOption())
    .option(...JSON_OPTION)
    .action(async ({ dir, json }: FolderOption) => {
      const folder = openKeyFolder(dir);
      const isReachNew = await renewReach(folder, now);
      if (isReachNew) for (const server of readServers(folder)) writeServerConfig(folder, server);
      const servers = await pushAccounts(folder, context.natsUrl());
      await endWebSessions(folder, context.natsUrl(), now());
      noteServersThatForget(context, folder, dir);
      if (json) await output.jsonLine({ servers });
      else output.line(`the fleet's accounts are up to date on ${servers.join(", ")}`);
    });
}

/** All credentials that `name` was ever given, in one role. */
function entriesOf(folder: KeyFolder, name: string, role: Role | undefined): Issued[] {
  const named = readIssued(folder).filter((each) => each.name === name);
  const theirs = named.filter((each) => role === undefined || each.role === role);
  // Whoever was a viewer first and an operator then is one and the same.
  const kinds = new Set(theirs.map((each) => credentialsFile(each.role, name)));
  if (kinds.size > 1) {
    const roles = [...new Set(theirs.map((each) => each.role))].join(", ");
    throw new UsageError(`key revoke: "${name}": is ${roles}; say which with --role`);
  }
  if (theirs.length > 0) return theirs;
  const who = role === undefined ? `"${name}"` : `${role} "${name}"`;
  throw new PlainError(`${who}: has no credentials from ${folder.path}`, EXIT.refused);
}

/** A server of an earlier version keeps revocations in its store, and forgets them with the store. */
function noteServersThatForget({ output }: KeyContext, folder: KeyFolder, dir: string): void {
  const servers = readServers(folder).filter(({ accounts }) => accounts === undefined);
  for (const server of servers) {
    const { name } = server;
    const command = `fleetban key server ${name} --renew --accounts ${defaultAccounts(server)}`;
    output.note(`${name}: if it loses its store, revoked credentials work again until you push;`);
    output.note(`${command} --dir ${dir}`);
    output.note("ends that: docs/operating.md, Let revocations survive the loss of NATS's store");
  }
}

/** A revocation that is written but not pushed is in force nowhere: it must not look like success. */
async function pushOr(
  context: KeyContext,
  folder: KeyFolder,
  dir: string,
): Promise<readonly string[]> {
  try {
    return await pushAccounts(folder, context.natsUrl());
  } catch (cause) {
    if (!(cause instanceof PlainError)) throw cause;
    const known = `the revocation is in ${folder.path} but NOT IN FORCE`;
    const remedy = `as soon as a server can be reached: fleetban key push --dir ${dir}`;
    throw new PlainError(`${cause.message}\n${known}; ${remedy}`, cause.exitCode, { cause });
  }
}
