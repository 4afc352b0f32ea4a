/** What the chats and push services take that have a form of their own. */
import type { Delivery } from "../digest.ts";
import { shortOf, titleOf } from "../message/event-text.ts";
import type { Post } from "./post.ts";

/** A request without what all of a sink's requests share. */
export type Preset = (delivery: Delivery) => Omit<Post, "ca">;

const JSON_TYPE = { "content-type": "application/json" };
const json = (url: string, value: unknown, headers: Record<string, string> = {}) => ({
  ...{ url, headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(value) },
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
/** "https://host/base" and "path", with one slash between them. */
const below = (url: string, path: string) => `${url.replace(/\/+$/, "")}/${path}`;

/** Slack's incoming webhooks; Mattermost and Rocket.Chat take the same. */
export const slack =
  (url: string): Preset =>
  (delivery) =>
    json(url, {
      text: `*${escapeSlack(titleOf(delivery))}*\n${escapeSlack(shortOf(delivery))}`,
    });

/** api.slack.com, "Escaping text": these three are all that a mention or a link is made of. */
const escapeSlack = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** An Adaptive Card, as the Workflows app of Teams takes it. */
export const teams =
  (url: string): Preset =>
  (delivery) =>
    json(url, {
      type: "message",
      attachments: [
        {
          contentType: "application/vnd.microsoft.card.adaptive",
          content: {
            $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
            type: "AdaptiveCard",
            version: "1.4",
            body: [
              { ...textBlock(titleOf(delivery)), weight: "Bolder" },
              ...shortOf(delivery).split("\n").filter(Boolean).map(textBlock),
            ],
          },
        },
      ],
    });

const textBlock = (text: string) => ({ type: "TextBlock", text: escapeMarkdown(text), wrap: true });
const escapeMarkdown = (text: string) => text.replace(/[\\`*_[\]()]/g, "\\$&");

/** "https://ntfy.sh/topic" takes a JSON document at its root. */
export const ntfy =
  (url: string, token: string | undefined): Preset =>
  (delivery) => {
    const { origin, pathname } = new URL(url);
    const parts = pathname.split("/").filter(Boolean);
    const topic = parts.pop() ?? "";
    const root = `${origin}/${parts.join("/")}`;
    const value = { topic, title: titleOf(delivery), message: shortOf(delivery), tags: TAGS };
    return json(root, value, token === undefined ? {} : bearer(token));
  };
const TAGS = ["fleetban"];

export const gotify =
  (url: string, token: string): Preset =>
  (delivery) =>
    json(
      below(url, "message"),
      { title: titleOf(delivery), message: shortOf(delivery), priority: 5 },
      { "x-gotify-key": token },
    );

export const telegram =
  (url: string, chat: string | number, token: string): Preset =>
  (delivery) =>
    json(below(url, `bot${token}/sendMessage`), {
      chat_id: chat,
      text: `${titleOf(delivery)}\n${shortOf(delivery)}`.slice(0, TELEGRAM_LONGEST),
      link_preview_options: { is_disabled: true },
    });
const TELEGRAM_LONGEST = 4_096;

/** The homeserver takes a transaction once, so a message that is sent again is shown once. */
export const matrix =
  (url: string, room: string, token: string): Preset =>
  (delivery) => {
    const path = `_matrix/client/v3/rooms/${encodeURIComponent(room)}/send/m.room.message/${delivery.id}`;
    const body = `${titleOf(delivery)}\n${shortOf(delivery)}`;
    return {
      ...json(below(url, path), { msgtype: "m.notice", body }, bearer(token)),
      method: "PUT",
    };
  };

/** The API of Apprise (github.com/caronc/apprise-api): "https://host/notify/KEY". */
export const apprise =
  (url: string): Preset =>
  (delivery) =>
    json(url, {
      ...{ title: titleOf(delivery), body: shortOf(delivery), type: "warning", format: "text" },
    });
