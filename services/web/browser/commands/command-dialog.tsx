/** A command's dialog: what it does, why, and how far it is. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { RequestError } from "../api/client.ts";
import { requestErrorOf } from "../api/use-query.ts";
import { useApp, type Notice } from "../app-context.ts";
import { Dialog } from "../parts/dialog.tsx";
import { TextField } from "../parts/fields.tsx";
import { Failed } from "../parts/states.tsx";

interface CommandDialogProps {
  title: string;
  /** On the button: "Ban", "Lift 12 bans". */
  action: string;
  isDangerous?: boolean;
  /** Fields and previews above the reason. */
  children?: ComponentChildren;
  /** Common reasons. */
  reasons?: readonly string[];
  /** Why it cannot be done yet, such as a field that is empty. */
  isReady?: boolean;
  run: (reason: string) => Promise<Notice>;
}

export function CommandDialog(props: CommandDialogProps) {
  const { title, action, isDangerous = false, children, reasons = [], isReady = true, run } = props;
  const { show, notify, changed } = useApp();
  const [reason, setReason] = useState("");
  const [isAtWork, setIsAtWork] = useState(false);
  const [error, setError] = useState<RequestError>();
  const close = () => show(undefined);

  async function submit(event: Event) {
    event.preventDefault();
    setError(undefined);
    setIsAtWork(true);
    try {
      notify(await run(reason.trim()));
      changed();
      close();
    } catch (caught) {
      setError(requestErrorOf(caught));
      setIsAtWork(false);
    }
  }

  const isComplete = isReady && reason.trim() !== "";
  return (
    <Dialog title={title} onClose={close}>
      <form onSubmit={(event) => void submit(event)}>
        {children}
        <TextField
          label="Reason"
          value={reason}
          onChange={setReason}
          isRequired
          suggestions={reasons}
          hint="It is kept with the change, under your name, for everybody to read."
        />
        {error && <Failed error={error} />}
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button
            type="submit"
            class={isDangerous ? "danger" : "primary"}
            disabled={!isComplete || isAtWork}
          >
            {isAtWork ? "waiting for the hosts …" : action}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
