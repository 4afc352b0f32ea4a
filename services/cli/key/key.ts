/** `fleetban key`: makes and revokes the identities of a fleet. It asks no coordinator. */
import { Command } from "commander";
import type { Output } from "../output.ts";
import { initCommand } from "./init-command.ts";
import { agentCommand, coordinatorCommand, operatorCommand } from "./credentials-command.ts";
import { listCommand } from "./list-command.ts";
import { pushCommand, revokeCommand } from "./revoke-command.ts";
import { serverCommand } from "./server-command.ts";

export interface KeyContext {
  output: Output;
  now: () => number;
  /** Where the fleet's NATS servers are, if the user has said so. */
  natsUrl: () => string | undefined;
}

export function keyCommand(context: KeyContext): Command {
  const command = new Command("key")
    .description("credentials and certificates of a fleet")
    .addHelpText("after", MORE);
  for (const each of [
    initCommand(context),
    agentCommand(context),
    coordinatorCommand(context),
    operatorCommand(context),
    serverCommand(context),
    listCommand(context),
    revokeCommand(context),
    pushCommand(context),
  ]) {
    command.addCommand(each);
  }
  return command;
}

const MORE = `
A fleet's keys lie in one folder on its administrator's machine, and whoever can
read that folder is the fleet's master. Files go from there to the machines:

  servers/NAME.conf, .crt, .key, ca.pem     a NATS server
  coordinators/NAME.creds, ca.pem           a coordinator
  agents/NAME.creds, ca.pem                 a mail host
  operators/NAME.creds, ca.pem              whoever uses the fleetban program

Examples:
  fleetban key init
  fleetban key server centre --address nats.example.org
  fleetban key coordinator centre
  fleetban key agent mx1
  fleetban key operator alice
  fleetban key operator bob --viewer
  fleetban key operator help-desk --support
  fleetban key revoke mx1
`;
