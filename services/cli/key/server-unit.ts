/**
 * The drop-in for the unit of Debian's nats-server: the server runs with the fleet's configuration,
 * starts again when it fails, and may write nothing but its store and the accounts. The package's own configuration
 * file stays as it is, so that an upgrade of the package asks no question.
 */
import { join } from "node:path";

/** Where the files of a server lie on its own machine, unless `--files` and `--store` differ. */
export const SERVER_FILES = "/etc/fleetban-nats";
export const SERVER_STORE = "/var/lib/fleetban-nats";
export const UNIT_FILE = "/etc/systemd/system/nats-server.service.d/fleetban.conf";

export interface UnitPaths {
  name: string;
  files: string;
  store: string;
  /** undefined: in the store. */
  accounts?: string | undefined;
}

export function renderUnit({ name, files, store, accounts }: UnitPaths): string {
  const folders = accounts === undefined ? [store] : [store, accounts];
  const owned = folders.map(
    (folder) => `ExecStartPre=+/usr/bin/install ${PRIVATE} ${quote(folder)}
ExecStartPre=+/bin/chown --recursive nats:nats ${quote(folder)}
`,
  );
  const writable = folders.map((folder) => quote(`-${folder}`)).join(" ");
  return `# Made by fleetban key server: ${UNIT_FILE}
[Unit]
StartLimitIntervalSec=0

[Service]
ExecStart=
# The server's user owns its folders before every start. Without this, a "nats-server -t" that
# root has run would keep the server from starting: it makes folders, and root owns them.
${owned.join("")}ExecStart=/usr/sbin/nats-server -c ${quote(join(files, `${name}.conf`))}
Restart=always
RestartSec=2
LimitNOFILE=65536
UMask=0077
NoNewPrivileges=yes
ProtectSystem=strict
# "-": where a folder is not there yet, systemd would not even run the commands that make it.
ReadWritePaths=${writable}
ProtectHome=yes
PrivateDevices=yes
`;
}

const PRIVATE = "--directory --owner nats --group nats --mode 0700";

/** systemd.syntax(7): "%" begins a specifier, in quotes too. */
const quote = (path: string): string => JSON.stringify(path.replaceAll("%", "%%"));
