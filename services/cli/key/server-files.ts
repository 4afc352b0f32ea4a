/** The files of NATS servers in a key folder: certificate, key, configuration. */
import { X509Certificate, createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { EXIT, PlainError } from "../../process/exit.ts";
import { explainFileError } from "../../process/file-error.ts";
import type { Validity } from "./authority.ts";
import type { KeyFolder } from "./key-folder.ts";
import { renderServerConfig, serverOptions, type ServerOptions } from "./server-config.ts";
import { renderUnit } from "./server-unit.ts";

/** Every server that was ever made, by name. */
export function readServers(folder: KeyFolder): ServerOptions[] {
  if (!folder.has("servers")) return [];
  return readdirSync(folder.at("servers"))
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => readServer(folder, basename(file, ".json")));
}

export function readServer(folder: KeyFolder, name: string): ServerOptions {
  const file = `servers/${name}.json`;
  const text = folder.read(file);
  try {
    return serverOptions.parse(JSON.parse(text));
  } catch (cause) {
    const expected = "expected what fleetban key server has written";
    throw new PlainError(`${folder.at(file)}: ${expected}`, EXIT.config, { cause });
  }
}

/** A certificate of the user's own, with its key and, where the system does not know it, its authority. */
export interface OwnCertificate {
  certificate: string;
  key: string;
  authority: string | undefined;
}

/** Reads and checks them: the key must be the certificate's. */
export function readOwnCertificate(files: {
  certificate: string;
  privateKey: string;
  authority: string | undefined;
}): OwnCertificate {
  const read = (file: string) => {
    try {
      return readFileSync(file, "utf8");
    } catch (cause) {
      const reason = explainFileError(cause);
      throw new PlainError(`${file}: cannot be read: ${reason}`, EXIT.noInput, { cause });
    }
  };
  const certificate = read(files.certificate);
  const key = read(files.privateKey);
  const parsed = parse(files.certificate, "a certificate", () => new X509Certificate(certificate));
  const privateKey = parse(files.privateKey, "a private key", () => createPrivateKey(key));
  if (!parsed.checkPrivateKey(privateKey)) {
    const text = `${files.privateKey}: is not the key of ${files.certificate}`;
    throw new PlainError(text, EXIT.config);
  }
  const authority = files.authority === undefined ? undefined : read(files.authority);
  return { certificate, key, authority };
}

function parse<T>(file: string, what: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new PlainError(`${file}: expected ${what} in PEM`, EXIT.config, { cause });
  }
}

/** Writes all files of a server; without a certificate of its own the fleet's authority signs one. */
export async function writeServer(
  folder: KeyFolder,
  server: ServerOptions,
  own: OwnCertificate | undefined,
  validity: Validity,
): Promise<void> {
  const { name, addresses, peers } = server;
  const file = (suffix: string) => `servers/${name}.${suffix}`;
  if (own) {
    folder.write(file("crt"), own.certificate);
    folder.write(file("key"), own.key);
    if (own.authority !== undefined) folder.write(file("ca.pem"), own.authority);
  }
  if (!server.ownCertificate || peers.length > 0) {
    // Loading X.509 takes longer than all the rest of the program.
    const { issueCertificate } = await import("./authority.ts");
    const authority = { certificate: folder.read("ca.pem"), key: folder.read("ca.key") };
    const pair = await issueCertificate(authority, name, addresses, validity);
    const [certificate, key] = server.ownCertificate ? ["route.crt", "route.key"] : ["crt", "key"];
    folder.write(file(certificate), pair.certificate);
    folder.write(file(key), pair.key);
  }
  folder.write("servers/ca.pem", folder.read("ca.pem"));
  folder.write(file("json"), `${JSON.stringify(server, undefined, 2)}\n`);
  writeServerConfig(folder, server);
}

export function writeServerConfig(folder: KeyFolder, server: ServerOptions): void {
  folder.write(`servers/${server.name}.conf`, renderServerConfig(folder, server));
  folder.write(`servers/${server.name}.unit.conf`, renderUnit(server));
}

/** Until when its certificate is valid, epoch milliseconds. */
export function certificateUntil(folder: KeyFolder, name: string): number {
  const { validTo } = new X509Certificate(folder.read(`servers/${name}.crt`));
  return Date.parse(validTo);
}
