import { useEffect, useRef, useState } from "preact/hooks";
import type { FeedState } from "../api/feed.ts";
import { useApp } from "../app-context.ts";
import { KIND_WORDS, kindOf } from "../text/ban-words.ts";
import { formatClock, formatUtc } from "../text/instants.ts";
import { count, formatNumber } from "../text/numbers.ts";
import { addItems, itemsOf, type FeedItem } from "../text/news-items.ts";
import { Foreign } from "./foreign.tsx";
import { AddressName, HostName, UserName } from "./names.tsx";

const KEPT = 60;

const STATE_WORDS: Readonly<Record<FeedState, string>> = {
  connecting: "connecting …",
  live: "live",
  lost: "connection lost, trying again",
  ended: "the session has ended",
};

/** Failures and bans as they come. */
export function LiveFeed() {
  const { feed } = useApp();
  const [items, setItems] = useState<readonly FeedItem[]>([]);
  const [state, setState] = useState<FeedState>("connecting");
  const [isPaused, setIsPaused] = useState(false);
  const paused = useRef(false);
  paused.current = isPaused;
  const waiting = useRef<readonly FeedItem[]>([]);

  useEffect(
    () =>
      feed.listen({
        onState: setState,
        onNews(news) {
          const added = itemsOf(news);
          if (added.length === 0) return;
          if (paused.current) waiting.current = addItems(waiting.current, added, KEPT);
          else setItems((before) => addItems(before, added, KEPT));
        },
      }),
    [feed],
  );

  function toggle() {
    setIsPaused(!isPaused);
    const added = waiting.current;
    waiting.current = [];
    if (isPaused) setItems((before) => addItems(before, added, KEPT));
  }

  return (
    <section class="panel feed">
      <header>
        <h2>As it happens</h2>
        <span class={`feed-state ${isPaused ? "paused" : state}`} role="status">
          {isPaused ? "paused" : STATE_WORDS[state]}
        </span>
        <button type="button" class="quiet" onClick={toggle}>
          {isPaused ? "Go on" : "Pause"}
        </button>
      </header>
      {items.length === 0 ? (
        <p class="faint">Nothing has happened since this page was opened.</p>
      ) : (
        <ol>
          {items.map((item) => (
            <li key={item.key} class={`feed-item ${item.kind}`}>
              <time dateTime={item.at} title={formatUtc(Date.parse(item.at))}>
                {formatClock(Date.parse(item.at))}
              </time>
              <FeedText item={item} />
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function FeedText({ item }: { item: FeedItem }) {
  switch (item.kind) {
    case "more":
      return <span>+{formatNumber(item.events)} more</span>;
    case "ban": {
      const { ban } = item;
      const kind = kindOf(ban, Date.parse(ban.changedAt));
      return (
        <span>
          <span class={`badge ${kind}`}>{KIND_WORDS[kind]}</span>{" "}
          <AddressName address={ban.address} />: <Foreign text={ban.reason} length={60} />{" "}
          <span class="faint">
            by <Foreign text={ban.by} length={32} />
          </span>
        </span>
      );
    }
    case "failure": {
      const { address, user, host, attempts } = item.failure;
      return (
        <span>
          {attempts === 1 ? "failure" : count(attempts, "failure")} of{" "}
          <AddressName address={address} /> on <HostName host={host} />
          {user !== null && (
            <>
              {" as "}
              <UserName user={user} />
            </>
          )}
        </span>
      );
    }
  }
}
