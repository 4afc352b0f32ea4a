/**
 * What an engine of containers cannot download here, as folders: Debian's image with an archive from
 * which the Dockerfile's apt installs, and a stand-in for PostgreSQL's image made of Debian's package.
 */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureDebianImage } from "./debian-image.ts";

export interface ContainerImage {
  /** As compose files and Dockerfiles name it. */
  name: string;
  folder: string;
  /** Options of `docker import`. */
  changes: readonly string[];
}

type Say = (line: string) => void;

/** The machine that the engine itself runs on. */
export const ensureEngineImage = (say: Say): Promise<string> =>
  ensureDebianImage(
    {
      ...{ name: "docker", suite: "trixie", edition: 1, archived: [] },
      installed: [
        ...["docker.io", "docker-cli", "docker-compose", "iptables", "iproute2"],
        ...["ca-certificates", "openssl"],
      ],
    },
    say,
  );

export async function ensureContainerImages(say: Say): Promise<ContainerImage[]> {
  const debian = await ensureDebianImage(
    {
      ...{ name: "slim", suite: "bookworm", edition: 1 },
      installed: ["netbase"],
      archived: ["nats-server", "curl", "systemd", "iptables", "ipset", "libstdc++6"],
    },
    say,
  );
  const postgres = await ensureDebianImage(
    {
      ...{ name: "postgres", suite: "trixie", edition: 1, archived: [] },
      installed: ["postgresql", "libnss-wrapper"],
      finish: finishPostgres,
    },
    say,
  );
  const path = "PATH=/usr/lib/postgresql/17/bin:/usr/local/bin:/usr/bin:/bin";
  const settings = ['ENTRYPOINT ["docker-entrypoint.sh"]', `ENV ${path}`, `ENV PGDATA=${DATA}`];
  return [
    { name: "debian:bookworm-slim", folder: debian, changes: [] },
    { name: "postgres:17-bookworm", folder: postgres, changes: settings },
  ];
}

const DATA = "/var/lib/postgresql/data";

/** What the official image does for users that it does not know, and at its first start. */
const ENTRYPOINT = `#!/bin/sh
set -eu
if ! getent passwd "$(id -u)" >/dev/null; then
  NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
  echo "postgres:x:$(id -u):$(id -g):PostgreSQL:$PGDATA:/bin/false" >"$NSS_WRAPPER_PASSWD"
  echo "postgres:x:$(id -g):" >"$NSS_WRAPPER_GROUP"
  export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD=libnss_wrapper.so
fi
mkdir -p "$PGDATA"
if [ ! -e "$PGDATA/PG_VERSION" ]; then
  initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --auth=scram-sha-256 >/dev/null
  echo "CREATE DATABASE $POSTGRES_DB;" | postgres --single -j postgres >/dev/null
fi
exec "$@" "-clisten_addresses=*"
`;

async function finishPostgres(image: string): Promise<void> {
  const entrypoint = join(image, "usr/local/bin/docker-entrypoint.sh");
  await writeFile(entrypoint, ENTRYPOINT);
  await chmod(entrypoint, 0o755);
  await mkdir(join(image, DATA), { recursive: true });
  await chmod(join(image, DATA), 0o1777); // as in the official image
}
