/** The page in the browser. */
import { render } from "preact";

const app = document.getElementById("app");
if (app) render(<p>fleetban</p>, app);
