/** Reads the secrets and certificates that sinks name, and says everything that is wrong at once. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Environment } from "../../process/environment.ts";
import { explainFileError } from "../../process/file-error.ts";
import { whyExposed } from "../../process/private-file.ts";
import type { SecretConfig } from "./notify-config.ts";

export interface SecretsFrom {
  /** Relative files are below it: where coordinator.yaml is. */
  folder: string;
  environment: Environment;
}

export interface Secrets {
  /** The secret, without the line's end behind it; "" where it cannot be read, see `faults`. */
  read(option: string, secret: SecretConfig): string;
  /** undefined: none was given. */
  readOptional(option: string, secret: SecretConfig | undefined): string | undefined;
  /** A certificate authority, which is no secret. */
  readCa(option: string, file: string | undefined): string | undefined;
  fault(option: string, reason: string): void;
  faults(): readonly string[];
}

const LONGEST = 8_192;

export function createSecrets({ folder, environment }: SecretsFrom): Secrets {
  const faults: string[] = [];
  const fault = (option: string, reason: string) => void faults.push(`${option}: ${reason}`);

  function readFile(option: string, file: string): string | undefined {
    const path = resolve(folder, file);
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      fault(option, `${path}: cannot be read: ${explainFileError(error)}`);
      return undefined;
    }
  }

  function read(option: string, { file, environment: variable }: SecretConfig): string {
    if (variable !== undefined) {
      const value = environment[variable] ?? "";
      if (value === "") fault(option, `the environment has no ${variable}`);
      return value;
    }
    const text = file === undefined ? undefined : readFile(option, file);
    if (file === undefined || text === undefined) return "";
    const exposed = whyExposed(resolve(folder, file));
    if (exposed !== undefined) fault(option, `${file}: ${exposed}`);
    const value = text.trim();
    if (value === "" || value.length > LONGEST || /[\r\n]/.test(value)) {
      fault(option, `${file}: expected one line of at most ${LONGEST} characters`);
    }
    return value;
  }

  return {
    read,
    readOptional: (option, secret) => (secret === undefined ? undefined : read(option, secret)),
    readCa: (option, file) => (file === undefined ? undefined : readFile(option, file)),
    fault,
    faults: () => faults,
  };
}
