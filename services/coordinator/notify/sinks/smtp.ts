/**
 * Hands one message to a mail server (RFC 5321), with STARTTLS (RFC 3207) and a login (RFC 4954) where
 * the configuration says so. One connection for one message; all of it takes a bounded time.
 *
 * Invariant: what came in plain text before TLS is never taken for a part of what comes behind it.
 */
import { connect as connectPlain, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { plainLine } from "../message/plain-text.ts";

export interface SmtpServer {
  host: string;
  port: number;
  /** "starttls" and "tls" always check the server's certificate. */
  security: "starttls" | "tls" | "none";
  login: { user: string; password: string } | undefined;
  /** The authority that signed the server's certificate, where the system does not know it. */
  ca: string | undefined;
}

export interface Envelope {
  from: string;
  to: readonly string[];
  /** The whole message, its lines ending in CRLF. */
  message: string;
}

/** The server has answered, and not as it should. */
export class SmtpRefusal extends Error {
  override name = "SmtpRefusal";
  readonly code: number;
  /** What was asked: "MAIL", "RCPT", "DATA". */
  readonly command: string;
  constructor(code: number, command: string, text: string) {
    super(`${command}: the mail server answers ${code} ${plainLine(text, 200)}`);
    this.code = code;
    this.command = command;
  }
}

interface Reply {
  code: number;
  lines: string[];
}

const WITHIN_MS = 30_000;
const MOST_REPLY_BYTES = 65_536;
/** A domain literal (RFC 5321, 4.1.3): a coordinator need not have a name in the DNS. */
const OWN_NAME = "[127.0.0.1]";

/** Resolves when the server has taken the message for at least one recipient; otherwise throws. */
export async function sendBySmtp(server: SmtpServer, envelope: Envelope): Promise<void> {
  const session = new SmtpSession(server);
  try {
    await session.open();
    await session.logIn();
    await session.send(envelope);
  } finally {
    session.close();
  }
}

class SmtpSession {
  readonly #server: SmtpServer;
  #socket: Socket;
  /** Received and not read yet. */
  #received = "";
  #wake: () => void = () => {};
  /** Why nothing more comes. */
  #ended: Error | undefined;
  /** What the server offers, in capitals: "STARTTLS", "AUTH PLAIN LOGIN". */
  #offers: string[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(server: SmtpServer) {
    this.#server = server;
    const { host, port, security } = server;
    this.#socket =
      security === "tls" ? connectTls(this.#tls({ port })) : connectPlain({ host, port });
    this.#listen(this.#socket);
    this.#timer = setTimeout(() => {
      this.#end(new Error(`${host} does not answer within ${WITHIN_MS / 1000} s`));
    }, WITHIN_MS);
  }

  async open(): Promise<void> {
    expect(await this.#read(), "the greeting", 220);
    await this.#greet();
    if (this.#server.security !== "starttls") return;
    if (!this.#offers.includes("STARTTLS")) {
      throw new Error("the mail server does not offer STARTTLS; see smtp.security");
    }
    expect(await this.#ask("STARTTLS"), "STARTTLS", 220);
    if (this.#received !== "") throw new Error("the mail server sends before TLS begins");
    const plain = this.#socket;
    plain.removeAllListeners("data");
    this.#socket = connectTls(this.#tls({ socket: plain }));
    this.#listen(this.#socket);
    await this.#greet();
  }

  async logIn(): Promise<void> {
    const { login } = this.#server;
    if (!login) return;
    const ways = this.#offers.find((offer) => offer.startsWith("AUTH "))?.split(" ") ?? [];
    const { user, password } = login;
    if (ways.includes("PLAIN")) {
      const secret = base64(`\0${user}\0${password}`);
      expect(await this.#ask(`AUTH PLAIN ${secret}`), "AUTH", 235);
    } else if (ways.includes("LOGIN")) {
      expect(await this.#ask("AUTH LOGIN"), "AUTH", 334);
      expect(await this.#ask(base64(user)), "AUTH", 334);
      expect(await this.#ask(base64(password)), "AUTH", 235);
    } else throw new Error("the mail server offers no login by AUTH PLAIN or AUTH LOGIN");
  }

  async send({ from, to, message }: Envelope): Promise<void> {
    expect(await this.#ask(`MAIL FROM:<${from}>`), "MAIL", 250);
    const replies: Reply[] = [];
    for (const each of to) replies.push(await this.#ask(`RCPT TO:<${each}>`));
    const isTaken = replies.some(({ code }) => code === 250 || code === 251);
    const [refused] = replies;
    if (!isTaken && refused) expect(refused, "RCPT", 250);
    expect(await this.#ask("DATA"), "DATA", 354);
    // A line that begins with a dot gets another one (RFC 5321, 4.5.2).
    const stuffed = message.replace(/^\./gm, "..").replace(/(?:\r\n)?$/, "\r\n");
    expect(await this.#ask(`${stuffed}.`), "the message", 250);
    // It is taken, whatever becomes of the connection.
    this.#socket.write("QUIT\r\n");
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#end(new Error("closed"));
    this.#socket.destroy();
  }

  async #greet(): Promise<void> {
    const reply = await this.#ask(`EHLO ${OWN_NAME}`);
    expect(reply, "EHLO", 250);
    this.#offers = reply.lines.slice(1).map((line) => line.toUpperCase());
  }

  #ask(line: string): Promise<Reply> {
    this.#socket.write(`${line}\r\n`);
    return this.#read();
  }

  /** "250-first", "250 last". */
  async #read(): Promise<Reply> {
    const lines: string[] = [];
    for (;;) {
      const line = await this.#readLine();
      const [, code = "", mark = "", text = ""] = /^(\d{3})([ -]?)(.*)$/.exec(line) ?? [];
      if (code === "") throw new Error(`the mail server answers "${plainLine(line, 100)}"`);
      lines.push(text);
      if (mark !== "-") return { code: Number(code), lines };
      if (lines.length > 200) throw new Error("the mail server's answer is too long");
    }
  }

  async #readLine(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf("\n");
      if (end >= 0) {
        const line = this.#received.slice(0, end).replace(/\r$/, "");
        this.#received = this.#received.slice(end + 1);
        return line;
      }
      if (this.#ended) throw this.#ended;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #listen(socket: Socket): void {
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      if (this.#received.length > MOST_REPLY_BYTES) {
        this.#end(new Error("the mail server's answer is too long"));
      }
      this.#wake();
    });
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(new Error("the mail server has closed the connection")));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#wake();
  }

  #tls(to: { port: number } | { socket: Socket }) {
    const { host, ca } = this.#server;
    const named = isIP(host) === 0 ? { servername: host } : {};
    const trusted = ca === undefined ? {} : { ca };
    return { host, ...to, ...named, ...trusted, minVersion: "TLSv1.2" as const };
  }
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

function expect({ code, lines }: Reply, command: string, expected: number): void {
  if (code !== expected) throw new SmtpRefusal(code, command, lines.join(" "));
}
