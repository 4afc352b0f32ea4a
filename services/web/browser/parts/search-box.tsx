import { useEffect, useRef, useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { parseAddress } from "../text/addresses.ts";
import { Icon } from "./icon.tsx";

/** Finds an address, a network or a user; "/" leads here from anywhere. */
export function SearchBox() {
  const { go } = useApp();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState("");
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const isTyping =
        event.target instanceof Element &&
        event.target.closest("input, textarea, select, dialog") !== null;
      if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const onSubmit = (event: Event) => {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted === "") return;
    const address = parseAddress(wanted);
    if (address === undefined) go("account", "", { user: wanted });
    else go("address", address);
    setText("");
    input.current?.blur();
  };
  return (
    <form class="search" role="search" onSubmit={onSubmit}>
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        value={text}
        aria-label="Find an address, a network or a user"
        placeholder="Address, network or user"
        maxLength={256}
        spellcheck={false}
        autocomplete="off"
        onInput={({ currentTarget }) => setText(currentTarget.value)}
        onKeyDown={({ key, currentTarget }) => {
          if (key === "Escape") currentTarget.blur();
        }}
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}
