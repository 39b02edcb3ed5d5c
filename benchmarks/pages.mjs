// How fast a page of `ppubench report` opens in Chromium, how much memory its script takes, and what axe-core finds wrong.
// Needs Node, Chromium and two packages outside of the repository:
//   npm install --prefix /tmp/browser playwright-core axe-core
//   node benchmarks/pages.mjs /tmp/browser builds/demo/explorer.html '' '#subjects' '#facts' '#subject-001-02'
// Wanted: 3 s, 60 MB, no violations, no page wider than its window, in light and dark, at 1280 and 400 pixels.
import { createRequire } from "node:module";
import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";

const [modules, file, ...routes] = process.argv.slice(2);
const require = createRequire(resolve(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"]});
console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
let problems = 0;
for (const [colorScheme, width] of [["light", 1280], ["dark", 1280], ["light", 400], ["dark", 400]]) {
  const context = await browser.newContext({colorScheme, viewport: {width, height: 900}, bypassCSP: true});
  for (const route of routes.length ? routes : [""]) {
    const page = await context.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(String(error)));
    const began = Date.now();
    await page.goto(`file://${resolve(file)}${route}`);
    await page.waitForFunction(() => document.documentElement.dataset.ready || !document.querySelector("#index"));
    const took = Date.now() - began;
    const session = await context.newCDPSession(page);
    await session.send("Performance.enable");
    await session.send("HeapProfiler.collectGarbage");
    const heap = (await session.send("Performance.getMetrics")).metrics.find((each) => each.name === "JSHeapUsedSize").value;
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run());
    problems += found.violations.length + errors.length + (over > 0 ? 1 : 0);
    console.log(`${colorScheme} ${width} px ${route || "(start)"}: ${took} ms, ${(heap / 1e6).toFixed(1)} MB of script, ` +
      `${found.violations.length} violations, ${errors.length} errors${over > 0 ? `, ${over} px too wide` : ""}`);
    for (const each of found.violations) console.log(`  ${each.id}: ${each.nodes.length} x, ${each.nodes[0].html.slice(0, 160)}`);
    await page.close();
  }
  await context.close();
}
await browser.close();
process.exit(problems ? 1 : 0);
