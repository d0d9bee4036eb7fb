#include "distal/report/page.h"

#include "distal/report/html.h"

namespace distal {
namespace {

// Okabe and Ito's colour-blind safe hues ("Color Universal Design", 2008), darkened or lightened
// until each has a contrast of at least 3:1 on its background (WCAG 2.1, 1.4.11). The control is
// grey.
constexpr const char* kColours = R"css(
:root {
  color-scheme: light dark;
  --paper: #fcfcfb; --card: #ffffff; --ink: #1b1f24; --soft: #545c66; --faint: #e6e7e4;
    --edge: #d3d5d1;
  --accent: #0b5f95; --good: #0d6e4f; --bad: #b03a0c; --on-cell: #ffffff;
  --s0: #0b6cab; --s1: #cf5300; --s2: #00805d; --s3: #b04a86; --s4: #94700a; --s5: #2a8bbd;
    --s6: #7b4bb7; --s7: #b3261e; --ctl: #6b7280;
}
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171a; --card: #1b1f23; --ink: #e8eaec; --soft: #a5adb6; --faint: #2b3036;
    --edge: #3a4149;
  --accent: #7cc0f0; --good: #5fd0a5; --bad: #ff9d70; --on-cell: #0f1215;
  --s0: #5ab2f2; --s1: #ff8f4d; --s2: #35c497; --s3: #ee9acb; --s4: #e8bd3f; --s5: #9fd6f5;
    --s6: #bd9cf2; --s7: #ff8a80; --ctl: #9aa3ad;
} }
.s0 { --c: var(--s0) } .s1 { --c: var(--s1) } .s2 { --c: var(--s2) } .s3 { --c: var(--s3) }
.s4 { --c: var(--s4) }
.s5 { --c: var(--s5) } .s6 { --c: var(--s6) } .s7 { --c: var(--s7) } .ctl { --c: var(--ctl) }
)css";

constexpr const char* kText = R"css(
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans",
  "DejaVu Sans", sans-serif }
.wrap { max-width: 62rem; margin: 0 auto; padding: 0 1.5rem }
header { padding: 3.5rem 0 1rem }
.over { margin: 0 0 .6rem; color: var(--soft); font-size: .875rem; letter-spacing: .02em;
  overflow-wrap: anywhere }
h1 { margin: 0; font-size: clamp(1.6rem, 1.1rem + 2.2vw, 2.5rem); line-height: 1.2;
  font-weight: 650; letter-spacing: -.018em; text-wrap: balance; overflow-wrap: anywhere }
h2 { margin: 0 0 .35rem; font-size: 1.375rem; line-height: 1.3; font-weight: 650;
  letter-spacing: -.01em }
h3 { margin: 2rem 0 .4rem; font-size: 1rem; font-weight: 650; overflow-wrap: anywhere }
p { margin: .35rem 0 .8rem; max-width: 44rem }
.answer { margin: 1.3rem 0 0; padding-left: 1.1rem; border-left: 4px solid var(--accent);
  font-size: 1.2rem; line-height: 1.5; max-width: 48rem; overflow-wrap: anywhere }
.answer p { margin: 0 0 .3rem; max-width: none }
.note, figcaption, .sub { color: var(--soft); font-size: .9rem; line-height: 1.5 }
section { padding: 2.4rem 0 0; margin-top: 2.4rem; border-top: 1px solid var(--faint) }
a { color: var(--accent) }
nav { margin: 1.8rem 0 0; font-size: .9rem; line-height: 2 }
nav a { margin-right: 1.15rem; text-decoration: none; white-space: nowrap }
nav a:hover { text-decoration: underline }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.skip { position: absolute; left: -99rem }
.skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .3rem .6rem }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1px;
  margin: 2rem 0 0; background: var(--faint); border: 1px solid var(--faint); border-radius: 10px;
  overflow: hidden }
.facts div { background: var(--card); padding: .9rem 1.1rem }
.facts dt { color: var(--soft); font-size: .82rem; line-height: 1.35 }
.facts dd { margin: .15rem 0 0; font-size: 1.45rem; font-weight: 620; letter-spacing: -.01em;
  line-height: 1.25; font-variant-numeric: tabular-nums }
.facts dd small { display: block; font-size: .82rem; font-weight: 400; letter-spacing: 0;
  color: var(--soft); line-height: 1.4; overflow-wrap: anywhere }
.notes { margin: 1.4rem 0 0; padding: .8rem 1.1rem; border: 1px solid var(--edge);
  border-left: 4px solid var(--s4); border-radius: 6px; background: var(--card);
  overflow-wrap: anywhere }
.notes ul { margin: .2rem 0; padding-left: 1.2rem } .notes li { margin: .25rem 0 }
.cure { color: var(--soft) }
.scroll { overflow-x: auto; margin: .9rem 0 }
table { border-collapse: collapse; width: 100%; font-size: .9rem; line-height: 1.4;
  font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); padding: 0 0 .5rem; font-size: .9rem }
caption span { display: block; position: sticky; left: 0; width: max-content;
  max-width: min(44rem, calc(100vw - 3rem)) }
th, td { padding: .42rem .7rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--faint); white-space: nowrap }
th:first-child, td.words { text-align: left }
th:first-child { padding-left: 0; position: sticky; left: 0; background: var(--paper);
  background-clip: padding-box }
td.words { white-space: normal; overflow-wrap: anywhere }
thead th { font-weight: 600; color: var(--soft); border-bottom: 1px solid var(--edge);
  vertical-align: bottom }
thead .unit { display: block; font-weight: 400 }
.dense { font-size: .82rem } .dense th, .dense td { padding: .36rem .4rem }
.dense th:first-child { padding-left: 0 } .dense thead th { white-space: normal }
.dense td:last-child { white-space: normal; min-width: 6.4rem }
.tall { max-height: 80vh; overflow: auto }
.tall thead th { position: sticky; top: 0; z-index: 1; background: var(--paper) }
.tall thead th:first-child { z-index: 2 }
th button { all: unset; cursor: pointer }
th button:hover { color: var(--ink); text-decoration: underline }
th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
th button::after { content: "\2195"; margin-left: .3em; opacity: .45 }
th[aria-sort=ascending] button::after { content: "\2191"; opacity: 1 }
th[aria-sort=descending] button::after { content: "\2193"; opacity: 1 }
tbody th { font-weight: 500 }
tbody tr:hover > * { background: color-mix(in srgb, var(--accent) 5%, var(--paper)) }
tr.strong th, tr.strong td { font-weight: 650 }
.ci { color: var(--soft); font-size: .86em; font-weight: 400; margin-left: .45em }
.better { color: var(--good); font-weight: 600 } .worse { color: var(--bad); font-weight: 600 }
.key { display: inline-block; width: .95em; height: .95em; margin-right: .45em;
  vertical-align: -.1em }
.shade { width: 5.2rem; margin: -.1rem 0 -.1rem auto; padding: .1rem .35rem;
  background: linear-gradient(color-mix(in srgb, var(--c) 24%, transparent) 0 0)
    left / var(--w) 100% no-repeat color-mix(in srgb, var(--c) 5%, transparent);
  border-radius: 2px }
.data { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.4rem; margin: .9rem 0;
  font-size: .95rem }
.data dt { color: var(--soft) }
.data dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
details { margin: 1rem 0 } summary { cursor: pointer; color: var(--accent); font-size: .95rem } 
pre { overflow-x: auto; padding: 1rem 1.2rem; background: var(--card);
  border: 1px solid var(--faint); border-radius: 8px;
  font: .84rem/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace }
footer { margin: 3.5rem 0 3rem; padding-top: 1.2rem; border-top: 1px solid var(--faint);
  color: var(--soft); font-size: .85rem; overflow-wrap: anywhere }
footer code { font: .95em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono",
  monospace }
)css";

constexpr const char* kCharts = R"css(
figure { margin: 1.2rem 0 0 } figcaption { margin-top: .5rem; max-width: 44rem }
svg { display: block; max-width: 100%; height: auto; overflow: visible }
.narrow { display: none }
svg text { font-size: 12.5px; fill: var(--soft); font-variant-numeric: tabular-nums }
svg .halo { paint-order: stroke; stroke: var(--paper); stroke-width: 7; }
svg .name { fill: var(--c); font-weight: 600; font-size: 13px }
svg .value { fill: var(--ink); font-size: 13px }
.grid { stroke: var(--faint) } .base, .tick { stroke: var(--edge) }
.zero { stroke: var(--soft); stroke-width: 1.5 }
.ideal { stroke: var(--soft); stroke-opacity: .6; stroke-dasharray: 4 4 }
.gap { stroke: var(--c); stroke-width: 5; stroke-opacity: .2 }
.curve { fill: none; stroke: var(--c); stroke-width: 2.2; stroke-linejoin: round }
.ctl .curve { stroke-dasharray: 6 4 }
.band { fill: var(--c); fill-opacity: 0; pointer-events: none }
.lead { fill: none; stroke: var(--c); stroke-opacity: .45 }
.whisker { stroke: var(--c); stroke-width: 1.6; stroke-opacity: .45 }
.whisker.broad { stroke-width: 6; stroke-opacity: .28; stroke-linecap: round }
.mark { fill: var(--c); stroke: var(--paper); stroke-width: 1.2 }
.ctl .mark { fill: var(--paper); stroke: var(--c); stroke-width: 2 }
.seed { fill: var(--c); fill-opacity: .4 } .share { fill: var(--c); fill-opacity: .4 }
.reach { fill: transparent }
.cell { fill: var(--c) } .hitting { stroke: var(--c); stroke-opacity: .6 }
svg .count { fill: var(--ink); font-size: 12px } svg .high { fill: var(--on-cell) }
@media (prefers-color-scheme: dark) { svg .mid { fill: var(--on-cell) } }
svg .absent { fill: var(--soft); font-size: 12px }
.cell.up { fill: var(--good) } .cell.down { fill: var(--bad) }
.cell.outlined { stroke: var(--ink); stroke-width: 2 }
.dot { fill: var(--c) } .series > .dot { fill-opacity: .5 }
.front { fill: none; stroke: var(--soft); stroke-width: 1.4; stroke-opacity: .8 }
svg .rank { font-size: 11px; fill: var(--ink); paint-order: stroke; stroke: var(--paper);
  stroke-width: 3 }
.member { fill: none; stroke: var(--c); stroke-width: 1.6; stroke-linejoin: round }
.member.thin { stroke-width: 1 } .hit:hover .member { stroke: var(--ink); stroke-width: 2.4 }
.behind { fill: none; stroke: var(--soft); stroke-opacity: .16 }
.hit:hover .mark { stroke: var(--ink); stroke-width: 2 }
.hit:hover .cell { stroke: var(--ink); stroke-width: 2; stroke-opacity: 1 }
.series { transition: opacity .12s }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; margin: .4rem 0 0; padding: 0;
  list-style: none; font-size: .9rem }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr));
  gap: 1rem 2.4rem }
.pair h3 { margin: 1rem 0 .6rem }
.panels { display: grid; gap: 1.2rem 1.6rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 18.2rem), max-content)) }
.panels h4 { margin: 0 0 .3rem; font-size: .95rem; font-weight: 600; overflow-wrap: anywhere }
.panels .scroll { margin: 0 }
@media (min-width: 62rem) { .panels.two { grid-template-columns: repeat(2, max-content) } }
.worst { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: 1.2rem;
  margin: 1rem 0; padding: 0; list-style: none }
.worst li { background: var(--card); border: 1px solid var(--faint); border-radius: 8px;
  overflow: hidden; font-size: .88rem; line-height: 1.45 }
.worst img, .worst .blank { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover;
  background: var(--faint) }
.worst .blank { display: grid; place-items: center; color: var(--soft) }
.worst p { margin: 0; padding: .55rem .8rem .7rem; overflow-wrap: anywhere }
.worst span { display: block } .worst .file { color: var(--soft); font-size: .8rem }
.asked { display: grid; grid-template-columns: repeat(auto-fill, minmax(5.6rem, 1fr)); gap: .6rem;
  margin: .4rem 0 1rem; padding: 0; list-style: none; font-size: .8rem; line-height: 1.35 }
.asked img, .asked .blank { display: block; width: 100%; aspect-ratio: 4 / 3; object-fit: cover;
  background: var(--faint); border-radius: 5px }
.asked .blank { display: grid; place-items: center; color: var(--soft) }
.asked p { margin: .25rem 0 0; overflow-wrap: anywhere } .asked span { display: block }
.asked .file { color: var(--soft) }
.asked .more { display: grid; place-items: center; color: var(--soft); min-height: 4rem }
details h4 { margin: .9rem 0 .2rem; font-size: .9rem; font-weight: 600 }
#tip { position: fixed; z-index: 9; max-width: 20rem; padding: .35rem .6rem; border-radius: 6px;
  background: var(--ink); color: var(--paper); font-size: .82rem; line-height: 1.4;
  pointer-events: none; opacity: 0; transition: opacity .08s }
@media (max-width: 46rem) {
  .wrap { padding: 0 1rem } header { padding-top: 2rem } .wide { display: none }
  .narrow { display: block }
  .answer { font-size: 1.06rem } .facts { grid-template-columns: 1fr 1fr }
  .facts div { padding: .7rem .8rem } .facts dd { font-size: 1.2rem }
  .data { grid-template-columns: 1fr; gap: 0 } .data dd { margin-bottom: .5rem }
  .worst { grid-template-columns: 1fr 1fr; gap: .7rem }
  section { padding-top: 1.6rem; margin-top: 1.8rem }
}
@media (prefers-reduced-motion: reduce) { * { transition: none !important } }
@media print {
  :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #444;
    --faint: #ddd; --edge: #aaa; --accent: #0b5f95; --good: #0d6e4f; --bad: #b03a0c;
    --on-cell: #fff;
    --s0: #0b6cab; --s1: #cf5300; --s2: #00805d; --s3: #b04a86; --s4: #94700a; --s5: #2a8bbd;
      --s6: #7b4bb7; --s7: #b3261e; --ctl: #6b7280 }
  body { font-size: 10.5pt; print-color-adjust: exact; -webkit-print-color-adjust: exact }
  .wrap { max-width: none; padding: 0 } header { padding-top: 0 } nav, .skip, #tip { display: none }
  figure, tr, .worst li, .asked li, .facts { break-inside: avoid }
  h2, h3, caption { break-after: avoid }
  section { margin-top: 1.4rem; padding-top: 1.4rem } .scroll { overflow: visible }
  .tall { max-height: none } .tall thead th { position: static }
  th button::after { content: none }
  pre { white-space: pre-wrap }
}
)css";

// Titles inside the charts become tooltips that appear at once; without the script the browser's
// own remain. The headings of a sortable table become buttons: the first press sorts numbers
// downwards and words upwards, what is not known stays last.
constexpr const char* kScript = R"js(
(() => {
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  for (const title of document.querySelectorAll("svg title")) {
    title.parentNode.dataset.tip = title.textContent;
    title.remove();
  }
  const show = event => {
    const mark = event.target.closest ? event.target.closest("[data-tip]") : null;
    tip.style.opacity = mark ? 1 : 0;
    if (!mark) return;
    tip.textContent = mark.dataset.tip;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 4)) + "px";
    const below = event.clientY + 18;
    const above = event.clientY - box.height - 12;
    tip.style.top = (below + box.height > innerHeight ? above : below) + "px";
  };
  document.addEventListener("pointermove", show);
  document.addEventListener("pointerdown", show);
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const data = cell.querySelector("data");
    if (!data) return cell.textContent;
    return data.value === "" ? null : Number(data.value);
  };
  const sort = (table, column, down) => {
    const rows = [...table.tBodies[0].rows];
    const way = down ? -1 : 1;
    rows.sort((a, b) => {
      const x = valueOf(a, column);
      const y = valueOf(b, column);
      if (x === null || y === null) return (x === null) - (y === null);
      return way * (typeof x === "number" ? x - y : x.localeCompare(y));
    });
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const first = table.tBodies[0].rows[0];
        const now = head.getAttribute("aria-sort");
        const down = now ? now === "ascending" : !!first.cells[column].querySelector("data");
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down);
      });
    });
  }
  addEventListener("beforeprint", () => {
    for (const d of document.querySelectorAll("details")) d.open = true;
  });
})();
)js";

/// Pointing at an arm anywhere in a chart fades the others and shows its band.
std::string highlights() {
  std::string out;
  for (const std::string arm : {"s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "ctl"}) {
    const std::string pointed = ".arms:has(.series." + arm + ":hover, .legend ." + arm + ":hover) ";
    out += pointed + ".series:not(." + arm + ") { opacity: .2 } " + pointed + "." + arm +
           " .band { fill-opacity: .15 }\n";
  }
  return out;
}

}  // namespace

std::string page(const std::string& title, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
         "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"generator\" "
         "content=\"distal\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src "
         "data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>" +
         escaped(title) + "</title>\n<style>" + kColours + kText + kCharts + highlights() +
         "</style>\n</head>\n<body>\n" + body + "<script>" + kScript +
         "</script>\n</body>\n</html>\n";
}

}  // namespace distal
