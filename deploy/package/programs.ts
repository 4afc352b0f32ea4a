/** The three programs of a release. */
import { PassThrough } from "node:stream";
import type { Command } from "commander";
import { agentProgram } from "../../services/agent/agent-program.ts";
import { loadCommands } from "../../services/cli/commands.ts";
import { fleetbanProgram } from "../../services/cli/program.ts";
import { coordinatorProgram } from "../../services/coordinator/coordinator-program.ts";

export interface Program {
  /** Of the executable and of its Debian package. */
  name: string;
  /** "the agent". */
  summary: string;
  entry: string;
  /** Its example below deploy/examples. */
  configuration: string;
  /** Of its manual page. */
  section: 1 | 8;
  /** Its command line, to be read. */
  command: () => Command;
  /** Debian's packages, beside the libraries that Node needs. */
  depends: readonly string[];
  suggests: readonly string[];
  /** What an RPM requires besides. */
  requires: readonly string[];
}

const COMMANDS = await loadCommands();
const nothing = () => {};
const options = { environment: {}, write: nothing, exit: nothing };

export const PROGRAMS: readonly Program[] = [
  {
    name: "fleetban-agent",
    summary: "the agent of a mail host",
    entry: "services/agent/main.ts",
    configuration: "agent.yaml",
    section: 8,
    command: () => agentProgram(options),
    depends: ["systemd (>= 247)", "iptables", "ipset"],
    suggests: ["dovecot-core"],
    // EL 9 has iptables in iptables-nft, others elsewhere.
    requires: ["systemd >= 247", "/usr/sbin/iptables", "/usr/sbin/ip6tables", "/usr/sbin/ipset"],
  },
  {
    name: "fleetban-coordinator",
    summary: "the coordinator of a fleet of mail hosts",
    entry: "services/coordinator/main.ts",
    configuration: "coordinator.yaml",
    section: 8,
    command: () => coordinatorProgram({ ...options, pid: 0 }),
    depends: ["systemd (>= 247)"],
    suggests: ["nats-server", "postgresql"],
    requires: ["systemd >= 247"],
  },
  {
    name: "fleetban",
    summary: "the operator's program",
    entry: "services/cli/main.ts",
    configuration: "client.yaml",
    section: 1,
    command: () => {
      const io = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
      const surroundings = { folder: "/", packageRoot: "/", home: "/", uid: 0 };
      return fleetbanProgram({ io, environment: {}, surroundings, who: "" }, COMMANDS).program;
    },
    depends: [],
    suggests: ["bash-completion"],
    requires: [],
  },
];
