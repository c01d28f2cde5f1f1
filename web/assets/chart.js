// The trend on a check's page: its figures stand in a table, from which this
// draws lines.
import uPlot from "uplot";

function figures(table) {
  const columns = [[], [], []];
  for (const row of table.tBodies[0].rows) {
    columns[0].push(Number(row.dataset.at));
    columns[1].push(row.dataset.differ === "" ? null : Number(row.dataset.differ));
    columns[2].push(row.dataset.coverage === "" ? null : Number(row.dataset.coverage));
  }
  return columns;
}

function draw(box) {
  const data = figures(document.getElementById(box.dataset.table));
  if (data[0].length < 2) return;
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  box.replaceChildren();
  new uPlot(
    {
      width: box.clientWidth,
      height: 190,
      cursor: { y: false },
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
      scales: {
        differ: { range: (_, __, max) => [0, Math.max(4, max * 1.15)] },
        share: { range: [0, 100] },
      },
      series: [
        { label: "UTC", value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}" },
        { label: "differing", scale: "differ", stroke: colour("--drift"), width: 2, fill: colour("--drift-tint"), points: { size: 5 } },
        { label: "coverage %", scale: "share", stroke: colour("--link"), width: 1.5, dash: [5, 3], points: { show: false } },
      ],
      axes: [
        { ...axis, size: 30, values: [[86400, "{MM}-{DD}", null, null, null, null, null, null, 1], [60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] },
        { ...axis, scale: "differ", size: 48 },
        { ...axis, scale: "share", side: 1, size: 44, grid: { show: false }, values: (_, v) => v.map((x) => `${x} %`) },
      ],
    },
    data,
    box,
  );
}

function all() {
  for (const box of document.querySelectorAll("[data-chart]")) draw(box);
}

all();
let timer = 0;
addEventListener("resize", () => {
  clearTimeout(timer);
  timer = setTimeout(all, 150);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
document.body.addEventListener("htmx:afterSettle", all);
