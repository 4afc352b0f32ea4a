/** An SMTP server (RFC 5321) on loopback that keeps what it takes, and can be told to refuse it. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createSecureContext, TLSSocket } from "node:tls";

export interface ReceivedMail {
  from: string;
  to: string[];
  /** Header fields by their names in lower case, unfolded. */
  headers: ReadonlyMap<string, string>;
  /** As it came, without the dots of transparency. */
  raw: string;
  /** Decoded. */
  text: string;
  /** Who has logged in. */
  user: string | undefined;
  isEncrypted: boolean;
}

export interface TestSmtp extends AsyncDisposable {
  port: number;
  mails: ReceivedMail[];
  /** Answers the end of the data; undefined: taken. */
  refuse: (reply: string | undefined) => void;
}

export interface TestSmtpOptions {
  /** Offers STARTTLS with this certificate, and takes mail only behind it. */
  tls?: { cert: Buffer; key: Buffer };
  /** Takes mail only from this user. */
  login?: { user: string; password: string };
}

export async function startTestSmtp({ tls, login }: TestSmtpOptions = {}): Promise<TestSmtp> {
  const mails: ReceivedMail[] = [];
  const sockets = new Set<Socket>();
  let refusal: string | undefined;

  function serve(socket: Socket, isEncrypted: boolean): void {
    let rest = "";
    let data: string[] | undefined;
    let envelope = { from: "", to: [] as string[] };
    let user: string | undefined;
    const say = (line: string) => socket.write(`${line}\r\n`);
    const takeData = (line: string) => {
      if (line !== ".") {
        data?.push(line.startsWith(".") ? line.slice(1) : line);
        return;
      }
      if (refusal === undefined) {
        const raw = (data ?? []).join("\r\n");
        mails.push({ ...envelope, ...parseMail(raw), user, isEncrypted });
      }
      data = undefined;
      envelope = { from: "", to: [] };
      say(refusal ?? "250 2.0.0 taken");
    };
    const takeCommand = (line: string) => {
      const verb = line.split(" ")[0]?.toUpperCase() ?? "";
      if (verb === "EHLO") {
        const offers = ["test", ...(tls && !isEncrypted ? ["STARTTLS"] : [])];
        if (login && (isEncrypted || !tls)) offers.push("AUTH PLAIN");
        offers.forEach((each, at) => say(`250${at === offers.length - 1 ? " " : "-"}${each}`));
      } else if (verb === "STARTTLS" && tls) {
        say("220 2.0.0 go on");
        socket.removeAllListeners("data");
        const secureContext = createSecureContext(tls);
        serve(new TLSSocket(socket, { isServer: true, secureContext }), true);
      } else if (verb === "AUTH") {
        const [, given, secret] = Buffer.from(line.split(" ")[2] ?? "", "base64")
          .toString()
          .split("\0");
        const isRight = given === login?.user && secret === login?.password;
        if (isRight) user = given;
        say(isRight ? "235 2.7.0 welcome" : "535 5.7.8 wrong password");
      } else if (verb === "MAIL") {
        const isForbidden = (tls && !isEncrypted) || (login && user === undefined);
        if (isForbidden) say("530 5.7.0 not before STARTTLS and AUTH");
        else {
          envelope.from = /<(.*?)>/.exec(line)?.[1] ?? "";
          say("250 2.1.0 fine");
        }
      } else if (verb === "RCPT") {
        const address = /<(.*?)>/.exec(line)?.[1] ?? "";
        const isRefused = address.endsWith("@refused.example.org");
        if (!isRefused) envelope.to.push(address);
        say(isRefused ? "550 5.1.1 there is nobody" : "250 2.1.5 fine");
      } else if (verb === "DATA") {
        data = [];
        say("354 go on");
      } else if (verb === "QUIT") {
        say("221 2.0.0 bye");
        socket.end();
      } else say(verb === "RSET" ? "250 2.0.0 fine" : "502 5.5.1 unknown");
    };
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      rest += chunk.toString("latin1");
      for (;;) {
        const end = rest.indexOf("\r\n");
        if (end < 0) return;
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (data) takeData(line);
        else takeCommand(line);
      }
    });
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    socket.write("220 test ESMTP\r\n");
    serve(socket, false);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    refuse: (reply) => (refusal = reply),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function parseMail(raw: string): Pick<ReceivedMail, "headers" | "raw" | "text"> {
  const end = raw.indexOf("\r\n\r\n");
  const head = raw.slice(0, end).replace(/\r\n[ \t]+/g, " ");
  const headers = new Map(
    head.split("\r\n").map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = raw.slice(end + 4);
  return { headers, raw, text: decodeBody(body, headers.get("content-transfer-encoding") ?? "") };
}

function decodeBody(body: string, encoding: string): string {
  if (encoding === "base64") return Buffer.from(body, "base64").toString();
  if (encoding !== "quoted-printable") return body;
  const bytes = body
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString();
}
