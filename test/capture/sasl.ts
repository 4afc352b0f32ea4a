/** The client's side of SASL exchanges, with any password; answers may be wrong on purpose. */
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";

export const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");
const fromBase64 = (text: string) => Buffer.from(text, "base64").toString("latin1");
const md5 = (text: string) => createHash("md5").update(text, "latin1").digest("hex");

export function plain(user: string, password: string, authzid = ""): string {
  return base64(`${authzid}\0${user}\0${password}`);
}

export function xoauth2(user: string, token: string): string {
  return base64(`user=${user}\u0001auth=Bearer ${token}\u0001\u0001`);
}

/** The answer to the challenge of CRAM-MD5, RFC 2195. */
export function cramMd5(challenge: string, user: string, password: string): string {
  const digest = createHmac("md5", password).update(fromBase64(challenge), "latin1").digest("hex");
  return base64(`${user} ${digest}`);
}

/** The answer to the challenge of DIGEST-MD5, RFC 2831. */
export function digestMd5(challenge: string, user: string, password: string): string {
  const nonce = /nonce="([^"]+)"/.exec(fromBase64(challenge))?.[1] ?? "";
  const realm = /realm="([^"]*)"/.exec(fromBase64(challenge))?.[1] ?? "";
  const cnonce = randomBytes(8).toString("hex");
  const hash = createHash("md5").update(`${user}:${realm}:${password}`).digest();
  const secret = hash.toString("latin1");
  const a1 = md5(`${secret}:${nonce}:${cnonce}`);
  const a2 = md5("AUTHENTICATE:imap/mx1");
  const response = md5(`${a1}:${nonce}:00000001:${cnonce}:auth:${a2}`);
  return base64(
    `username="${user}",realm="${realm}",nonce="${nonce}",cnonce="${cnonce}",nc=00000001,qop=auth,digest-uri="imap/mx1",response=${response}`,
  );
}

/** SCRAM-SHA-1, RFC 5802: the first message, and the last for what the server said. */
export function scramSha1(user: string, password: string) {
  const nonce = randomBytes(9).toString("hex");
  const bare = `n=${user},r=${nonce}`;
  return {
    first: base64(`n,,${bare}`),
    last(challenge: string): string {
      const said = fromBase64(challenge);
      const [, both = "", salt = "", rounds = "1"] = /r=([^,]+),s=([^,]+),i=(\d+)/.exec(said) ?? [];
      const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(rounds), 20, "sha1");
      const key = createHmac("sha1", salted).update("Client Key").digest();
      const stored = createHash("sha1").update(key).digest();
      const without = `c=biws,r=${both}`;
      const signature = createHmac("sha1", stored).update(`${bare},${said},${without}`).digest();
      const proof = key.map((byte, at) => byte ^ (signature[at] ?? 0));
      return base64(`${without},p=${Buffer.from(proof).toString("base64")}`);
    },
  };
}

/** POP3's APOP, RFC 1939: the digest for the greeting's stamp. */
export function apop(greeting: string, password: string): string {
  return md5(`${/<[^>]+>/.exec(greeting)?.[0] ?? ""}${password}`);
}
