/**
 * A Docker engine of a test's own, Debian 13's: on an overlay over an image, in a network namespace
 * of the test and in mount and process namespaces that end with it, with everything inside.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { run, type Run } from "../../services/agent/enforce/firewall/command.ts";
import { starting } from "../../services/process/release.ts";
import { startChild } from "../../services/standalone/child.ts";
import { ensureContainerImages, ensureEngineImage } from "./docker-images.ts";
import { eventually } from "./eventually.ts";
import { isRoot, type Namespace } from "./netns.ts";

const GROUPS = "/sys/fs/cgroup";

function reason(): string | false {
  if (!isRoot) return "needs root";
  for (const program of ["mmdebstrap", "dpkg-scanpackages"]) {
    if (!existsSync(join("/usr/bin", program))) return `needs ${program}: deploy/setup deploy`;
  }
  // The other kind would take CAP_SYS_RESOURCE, for runc's filters of devices.
  return existsSync(join(GROUPS, "devices")) ? false : "needs control groups of version 1";
}
/** For tests with an engine: `describe(name, { skip: needsDocker }, ...)`. */
export const needsDocker = reason();

export interface DockerEngine extends AsyncDisposable {
  /** Runs a command on the engine's machine as root, where docker is, and returns its stdout. */
  run: Run;
  [Symbol.asyncDispose](): Promise<void>;
}

/** engine's image, folder, the group for its containers, pairs of image and place */
const START = `
umount /sys/fs/cgroup/unified 2>/dev/null || true
root=$2/root image=$1 folder=$2 group=$3
shift 3
mount -t overlay overlay -o "lowerdir=$image,upperdir=$folder/upper,workdir=$folder/work" "$root"
mount -t proc proc "$root/proc"
for part in sys dev; do mount --rbind "/$part" "$root/$part"; done
for part in run tmp; do mount -t tmpfs tmpfs "$root/$part"; done
mkdir -p "$root/var/lib/docker"
mount --bind "$folder/docker" "$root/var/lib/docker"
while [ $# -gt 0 ]; do
  mkdir -p "$root$2"
  mount --bind "$1" "$root$2"
  shift 2
done
cd "$root"
# Not a chroot: what docker executes in a container would have this machine's root.
pivot_root . mnt
exec chroot . sh -euc 'umount -l /mnt; exec dockerd --storage-driver overlay2 --cgroup-parent "$1" --group docker' sh "/$group"
`;

/** `$1`: a folder, `$2`: the image's name, then the options of the import. */
const IMPORT = `
folder=$1 name=$2
shift 2
tar -C "$folder" --exclude=./dev -c . | docker import "$@" - "$name"
`;

/** What is below `folder`/upper is there when it starts. */
export async function startDockerEngine(options: {
  namespace: Namespace;
  folder: string;
  say: (line: string) => void;
}): Promise<DockerEngine> {
  const { namespace, folder, say } = options;
  const image = await ensureEngineImage(say);
  const containers = await ensureContainerImages(say);
  for (const part of ["upper", "work", "root", "docker"]) {
    mkdirSync(join(folder, part), { recursive: true });
  }
  const [inside, release] = await starting<Run>(async (onRelease) => {
    const places = containers.map((each, index) => ({ ...each, place: `/srv/images/${index}` }));
    const mounts = places.flatMap((each) => [each.folder, each.place]);
    const isolated = ["unshare", "--mount", "--propagation", "slave", "--pid", "--fork"];
    const engine = await startChild("nsenter", {
      args: [
        `--net=/run/netns/${namespace.name}`,
        ...[...isolated, "--kill-child", "sh", "-euc", START, "docker"],
        ...[image, folder, namespace.name, ...mounts],
      ],
    });
    const end = () => {
      try {
        process.kill(engine.pid, "SIGKILL");
      } catch {
        // it has ended
      }
    };
    process.on("exit", end);
    onRelease(async () => {
      process.off("exit", end);
      await engine.stop("SIGKILL");
      await eventually("its control groups are gone", () => removeGroups(namespace.name), 30);
    });
    const failure = engine.ended.then((status): never => {
      throw new Error(`dockerd ended with ${status}:\n${engine.lastWords()}`);
    });
    failure.catch(() => {}); // it is to end some day
    const init = () => {
      const list = readFileSync(`/proc/${engine.pid}/task/${engine.pid}/children`, "utf8");
      return Number(list.split(" ")[0]) || undefined;
    };
    const target = await eventually("dockerd has a process", init);
    const namespaces = ["--mount", "--net", "--pid", "--"];
    const into = ["--target", String(target), ...namespaces];
    const runInside: Run = (command, args, stdin) =>
      run("nsenter", [...into, command, ...args], stdin);
    const answers = eventually("docker answers", () => runInside("docker", ["version"]), 60);
    await Promise.race([answers, failure]);
    for (const { place, name, changes } of places) {
      const more = changes.flatMap((change) => ["--change", change]);
      await runInside("sh", ["-euc", IMPORT, "import", place, name, ...more]);
    }
    return runInside;
  });
  return { run: inside, [Symbol.asyncDispose]: release };
}

/** Of every hierarchy; false as long as somebody is in one. */
function removeGroups(name: string): boolean {
  const groups = readdirSync(GROUPS).map((hierarchy) => join(GROUPS, hierarchy, name));
  try {
    for (const group of groups) if (existsSync(group)) removeBelow(group);
    return true;
  } catch {
    return false;
  }
}

function removeBelow(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true })) {
    if (entry.isDirectory()) removeBelow(join(group, entry.name));
  }
  rmdirSync(group);
}
