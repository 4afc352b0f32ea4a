import type { ComponentChildren, TargetedMouseEvent } from "preact";
import { useApp } from "../app-context.ts";
import { pathOf, type Filters, type PageName } from "../router.ts";

interface LinkProps {
  page: PageName;
  subject?: string;
  filters?: Filters;
  class?: string;
  isCurrent?: boolean;
  children: ComponentChildren;
}

/** A link to another page, which loads nothing anew; with a modifier key the browser has its way. */
export function Link({
  page,
  subject = "",
  filters = {},
  isCurrent,
  children,
  ...rest
}: LinkProps) {
  const { base, go } = useApp();
  const onClick = (event: TargetedMouseEvent<HTMLAnchorElement>) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) {
      return;
    }
    event.preventDefault();
    go(page, subject, filters);
  };
  return (
    <a
      href={base + pathOf(page, subject, filters)}
      onClick={onClick}
      class={rest.class}
      aria-current={isCurrent ? "page" : undefined}
    >
      {children}
    </a>
  );
}
