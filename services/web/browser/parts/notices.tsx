/** What commands tell when they are done, with ten seconds to take them back. */
import { useEffect, useRef, useState } from "preact/hooks";
import { useApp, type Notice } from "../app-context.ts";
import { requestErrorOf } from "../api/use-query.ts";
import { Foreign } from "./foreign.tsx";
import { Icon } from "./icon.tsx";

export interface ShownNotice extends Notice {
  id: number;
}

const UNDO_SECONDS = 10;
const SHOWN_SECONDS = 10;

interface NoticesProps {
  notices: readonly ShownNotice[];
  forget: (id: number) => void;
}

export function Notices({ notices, forget }: NoticesProps) {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.map((notice) => (
        <OneNotice key={notice.id} notice={notice} forget={() => forget(notice.id)} />
      ))}
    </div>
  );
}

function OneNotice({ notice, forget }: { notice: ShownNotice; forget: () => void }) {
  const { notify, changed } = useApp();
  const { kind, text, faults = [], undo, later } = notice;
  const [isAtWork, setIsAtWork] = useState(false);
  const left = useCountdown(undo || later ? UNDO_SECONDS : SHOWN_SECONDS, isAtWork);

  async function act(work: () => Promise<Notice>) {
    setIsAtWork(true);
    try {
      notify(await work());
    } catch (error) {
      notify({ kind: "failed", text: requestErrorOf(error).message });
    }
    changed();
    forget();
  }
  const isOver = left === 0 && !isAtWork;
  useEffect(() => {
    if (!isOver) return;
    if (later) void act(later.run);
    // What has failed, or is not in force everywhere, stays until somebody has read it.
    else if (kind !== "failed" && faults.length === 0) forget();
  }, [isOver]);

  return (
    <div class={`notice ${kind}`}>
      <Icon name={kind === "failed" ? "alert" : kind === "waiting" ? "clock" : "ok"} />
      <div>
        <p>
          <Foreign text={text} length={300} />
        </p>
        {faults.map((fault) => (
          <p class="faint">
            <Foreign text={fault} length={200} />
          </p>
        ))}
      </div>
      {undo && left > 0 && (
        <button
          type="button"
          disabled={isAtWork}
          onClick={() =>
            void act(async () => ({ kind: "done", text: await undo.run() }) satisfies Notice)
          }
        >
          {undo.label} ({left})
        </button>
      )}
      {later && (
        <button type="button" disabled={isAtWork} onClick={() => void act(later.run)}>
          {later.label} now
        </button>
      )}
      <button type="button" class="quiet" disabled={isAtWork} onClick={forget}>
        {later ? `Undo (${left})` : <span aria-label="Dismiss">✕</span>}
      </button>
    </div>
  );
}

/** Whole seconds that are left; it stands still while `isStopped`. */
function useCountdown(seconds: number, isStopped: boolean): number {
  const [left, setLeft] = useState(seconds);
  const stopped = useRef(isStopped);
  stopped.current = isStopped;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!stopped.current) setLeft((before) => Math.max(before - 1, 0));
    }, 1000);
    return () => clearInterval(timer);
  }, []);
  return left;
}
