/** Certificates as an administrator makes them without fleetban, with openssl. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const openssl = (...args: string[]) => promisify(execFile)("openssl", args);

export interface OwnAuthority {
  /** PEM file of its certificate. */
  file: string;
  /** Signs a certificate for `names`, as in DNS:nats.example.org or IP:127.0.0.1. */
  sign(names: string, days: number): Promise<{ certificate: string; key: string }>;
}

const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** Its files, and those of what it signs, are in `folder` and begin with `name`. */
export async function createOwnAuthority(folder: string, name: string): Promise<OwnAuthority> {
  const at = (file: string) => join(folder, `${name}-${file}`);
  const [file, key] = [at("ca.pem"), at("ca.key")];
  const subject = ["-subj", `/CN=${name}`];
  await openssl("req", "-x509", ...EC, "-keyout", key, "-out", file, ...subject, "-days", "30");
  let count = 0;
  return {
    file,
    async sign(names, days) {
      count += 1;
      const [own, request, signed] = [`${count}.key`, `${count}.csr`, `${count}.crt`].map(at);
      await writeFile(at("ext"), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
      await openssl("req", "-new", ...EC, "-keyout", own!, "-out", request!, "-subj", "/CN=nats");
      const by = ["-CA", file, "-CAkey", key, "-CAcreateserial", "-days", String(days)];
      await openssl("x509", "-req", "-in", request!, ...by, "-extfile", at("ext"), "-out", signed!);
      return { certificate: signed!, key: own! };
    },
  };
}
