/**
 * The machines that the documents speak of, before anything of fleetban is on them: the
 * administrator's own machine with a checkout, its packages and ssh; a centre and two mail hosts,
 * under the names that the examples have. Whatever happens to them is what a reader would paste.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "../../services/agent/enforce/firewall/command.ts";
import { starting } from "../../services/process/release.ts";
import { ensureArtifacts } from "../harness/artifacts.ts";
import type { Suite } from "../harness/debian-image.ts";
import { createGuests, type Guest, type Guests } from "../harness/guests.ts";
import { startMailClient, type MailClient } from "../harness/mail-client.ts";
import type { Namespace } from "../harness/netns.ts";
import { readBlocks, type Block } from "./documents.ts";
import { placeDovecot } from "./mail-host.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const YOURS = "your machine";
/** Where the reader has the checkout, and pastes. */
export const CHECKOUT = "/home/admin/fleetban";

export interface DocumentedFleet extends AsyncDisposable {
  guests: Guests;
  yours: Guest;
  attacker: MailClient;
  attackerNamespace: Namespace;
  /** Runs commands as somebody who is logged in there: on your machine in the checkout, else at home. */
  paste(block: Block): Promise<string>;
  /** Pastes every block of a section in its order; returns what the last one printed. */
  pasteSection(document: string, heading: string): Promise<string>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface DocumentedFleetOptions {
  /** Besides your machine. */
  guests: Readonly<Record<string, Suite>>;
  mailHosts: readonly string[];
  /** Places more into a guest that has not booted yet. */
  place?: (guest: Guest) => void;
}

export async function createDocumentedFleet(
  options: DocumentedFleetOptions,
): Promise<DocumentedFleet> {
  const say = (line: string) => void process.stderr.write(`${line}\n`);
  const { folder: packages } = ensureArtifacts();
  const [fleet, release] = await starting<Omit<DocumentedFleet, keyof AsyncDisposable>>(
    async (onRelease) => {
      const guests = await createGuests({
        guests: { yours: "bookworm", ...options.guests },
        others: ["attacker"],
        say,
      });
      onRelease(() => guests[Symbol.asyncDispose]());
      const yours = guests.guest("yours");
      await placeYours(guests, yours, packages);
      for (const guest of guests.guests) {
        if (options.mailHosts.includes(guest.name)) placeDovecot(guest);
        else guest.place("etc/systemd/system/dovecot.service.d/off.conf", WITHOUT_DOVECOT);
        options.place?.(guest);
      }
      await Promise.all(guests.guests.map((guest) => guest.boot()));
      const attackerNamespace = guests.network.host("attacker");
      const attacker = startMailClient(attackerNamespace.spawn);
      onRelease(() => attacker[Symbol.asyncDispose]());

      const paste = ({ where, commands }: Block): Promise<string> => {
        const guest = where === YOURS ? yours : guests.guest(where);
        const folder = where === YOURS ? CHECKOUT : "/home/admin";
        // A shell that reads the commands from a file: ssh and apt would read them from stdin.
        const script = `cd ${folder}\n${commands}\n`;
        const save = `cat > /tmp/pasted.sh`;
        return guest
          .run("runuser", ["-u", "admin", "--", "sh", "-c", save], script)
          .then(() => guest.run("runuser", ["-l", "admin", "-c", SHELL]))
          .catch((cause: unknown) => {
            throw new Error(`on ${where}:\n${commands}\n${String(cause)}`, { cause });
          });
      };
      return {
        ...{ guests, yours, attacker, attackerNamespace, paste },
        async pasteSection(document, heading) {
          let output = "";
          for (const block of readBlocks(document, heading)) output = await paste(block);
          return output;
        },
      };
    },
  );
  return { ...fleet, [Symbol.asyncDispose]: release };
}

/** What it printed, on stdout where it went well and else on stderr. */
const SHELL = `bash -eu /tmp/pasted.sh </dev/null >/tmp/pasted.log 2>&1 && cat /tmp/pasted.log ||
  { code=$?; cat /tmp/pasted.log >&2; exit $code; }`;

const WITHOUT_DOVECOT = "[Unit]\nConditionPathExists=/none\n";

/** ssh to all others without a question, the checkout, and what `npm run package` has made. */
async function placeYours(guests: Guests, yours: Guest, packages: string): Promise<void> {
  const read = (name: string) => readFileSync(join(guests.folder, name), "utf8");
  const known = guests.guests.map(({ name, namespace }) => {
    return `${name},${name}.example.org,${namespace.address4} ${read(`${name}.host-key.pub`)}`;
  });
  yours.place("home/admin/.ssh/id_ed25519", read("id_ed25519"), 0o600);
  yours.place("home/admin/.ssh/known_hosts", known.join(""));
  for (const name of readdirSync(packages)) {
    if (!/\.deb$/.test(name)) continue;
    yours.place(join(CHECKOUT, "dist", name).slice(1), readFileSync(join(packages, name)));
  }
  const tracked = await run("git", ["-C", ROOT, "ls-files", "-z", "deploy", "docs"]);
  for (const file of tracked.split("\0").filter(Boolean)) {
    yours.place(join(CHECKOUT, file).slice(1), readFileSync(join(ROOT, file)));
  }
}
