/** The page in the browser: finds its base path, asks who is logged in, and shows the app or the login. */
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles/page.css";
import { Entrance } from "./entrance.tsx";
import { basePathOf } from "./router.ts";
import { applyTheme, savedTheme } from "./theme.ts";

applyTheme(savedTheme());
const script = document.querySelector<HTMLScriptElement>("script[src*='/assets/']");
const base = script ? basePathOf(new URL(script.src).pathname) : "";
const root = document.getElementById("app");
if (root) render(<Entrance base={base} />, root);
