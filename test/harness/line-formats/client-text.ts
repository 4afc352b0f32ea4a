/**
 * What becomes of a client's text before Dovecot prints it, for every part of a format that a client
 * chooses (Dovecot's src/lib/str-sanitize.c, and the places that print). A text that a client
 * cannot bring into a line would be a false alarm.
 */
export interface ClientText {
  /** A text that nobody would call hostile. */
  plain: string;
  /** As Dovecot prints it. */
  print(text: string): string;
  /** Bytes after which Dovecot cuts, a good length for a text to have. */
  limit: number;
}

const sanitized = (limit: number, plain = "bob"): ClientText => ({
  plain,
  print: (text) => sanitize(text, limit),
  limit,
});
const untouched = (limit: number, plain = "bob"): ClientText => ({
  plain,
  print: (text) => cutBytes(text.replaceAll(/[\n\0]/g, ""), limit),
  limit,
});

export const CLIENT_TEXTS: Readonly<Record<string, ClientText>> = {
  user: sanitized(64),
  login: sanitized(80),
  name: sanitized(128),
  authid: sanitized(256),
  hello: sanitized(256, "mx1.example.org"),
  remote: sanitized(160, "Authentication failed."),
  raw: untouched(1000),
  reply: untouched(1000, "Authentication failed."),
  password: {
    plain: "secret",
    print: (text) => cutBytes(text.replaceAll(/[\n\t\0\x01]/g, ""), 1024),
    limit: 1024,
  },
  method: {
    plain: "PLAIN",
    print: (text) =>
      sanitize(
        text.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase()),
        64,
      ),
    limit: 64,
  },
  certificate: {
    plain: "/CN=bob",
    print: (text) => cutBytes(`/CN=${escapeLikeOpenSsl(text)}`, 1023),
    limit: 1023,
  },
  // PAM's modules print a name as it is. journald and JSON keep its line feeds.
  "pam-user": {
    plain: "bob",
    print: (text) => cutBytes(text.replaceAll("\0", ""), 6_000),
    limit: 6_000,
  },
};

/** Controls become `?`; what is too long ends with `...`. */
function sanitize(text: string, limit: number): string {
  const visible = text.replaceAll(/[\0-\x1f\x7f]/g, "?");
  return Buffer.byteLength(visible) <= limit ? visible : `${cutBytes(visible, limit - 3)}...`;
}

/** Cuts between two characters. */
export function cutBytes(text: string, limit: number): string {
  if (text.length * 3 <= limit || Buffer.byteLength(text) <= limit) return text;
  return Buffer.from(text)
    .subarray(0, limit)
    .toString()
    .replace(/\ufffd$/, "");
}

/** X509_NAME_oneline(): other bytes than those of printable ASCII in hexadecimal. */
function escapeLikeOpenSsl(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      byte >= 32 && byte < 127
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).toUpperCase().padStart(2, "0")}`,
    )
    .join("");
}
