/** Reads server-sent events, as a browser's EventSource does. */
export interface StreamedEvent {
  event: string;
  id: string | undefined;
  data: Record<string, unknown>;
}

export interface EventStream {
  status: number;
  /** What has come so far. */
  events: StreamedEvent[];
  /** Comments so far. */
  heartbeats(): number;
  isOpen(): boolean;
  close(): void;
}

export async function openEventStream(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<EventStream> {
  const stopped = new AbortController();
  const response = await fetch(url, { headers, signal: stopped.signal });
  const events: StreamedEvent[] = [];
  let heartbeats = 0;
  let isOpen = response.ok;

  function take(block: string): void {
    const lines = block.split("\n");
    const valueOf = (name: string) =>
      lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const event = valueOf("event");
    if (lines.some((line) => line.startsWith(":"))) heartbeats += 1;
    if (event === undefined) return;
    const data = JSON.parse(valueOf("data") ?? "{}") as Record<string, unknown>;
    events.push({ event, id: valueOf("id"), data });
  }

  async function read(): Promise<void> {
    let rest = "";
    const text = new TextDecoder();
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      const blocks = `${rest}${text.decode(chunk, { stream: true })}`.split("\n\n");
      rest = blocks.pop() ?? "";
      for (const block of blocks) take(block);
    }
  }

  if (response.ok)
    void read()
      .catch(() => {})
      .finally(() => (isOpen = false));
  else await response.body?.cancel();
  return {
    ...{ status: response.status, events },
    heartbeats: () => heartbeats,
    isOpen: () => isOpen,
    close: () => stopped.abort(),
  };
}
