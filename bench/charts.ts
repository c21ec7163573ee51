/** Draws what `npm run bench -- --json FILE` has measured: `npm run bench:charts -- FILE FOLDER` makes an SVG for each upstream. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Report } from './report/json.js'
import { quantity } from './report/table.js'

const WIDTH = 760
const LABEL = 190
const VALUE = 90
const BAR = 16
const GAP = 4
const GROUP_GAP = 18
const HEADING = 44
const COLOURS: Readonly<Record<string, string>> = { warren: '#b45309', haproxy: '#64748b' }
const OTHER_COLOUR = '#0e7490'

interface Bar {
  readonly target: string
  readonly cost: number
}

interface Group {
  readonly workload: string
  readonly bars: readonly Bar[]
}

const [file, folder] = process.argv.slice(2)
if (file === undefined || folder === undefined) {
  console.error('usage: npm run bench:charts -- FILE.json FOLDER')
  process.exit(2)
}
const report = JSON.parse(readFileSync(file, 'utf8')) as Report
for (const upstream of new Set(report.series.map((series) => series.upstream))) {
  const image = join(folder, `bench-${upstream}.svg`)
  writeFileSync(image, chart(`CPU time of the proxy for each operation, µs (${upstream})`, groups(upstream)))
  console.log(image)
}

/** Workloads whose result is CPU time, the proxies of each side by side. */
function groups(upstream: string): Group[] {
  return report.series
    .filter((series) => series.upstream === upstream && !['idle', 'latency'].includes(series.workload))
    .map(({ workload, medians }) => ({
      workload,
      bars: medians
        .filter(({ isProxy, proxy }) => isProxy && Number.isFinite(proxy.median))
        .map(({ target, proxy }) => ({ target, cost: proxy.median })),
    }))
    .filter(({ bars }) => bars.length > 0)
}

/** Each group has a scale of its own: what counts is the relation within it. */
function chart(title: string, all: Group[]): string {
  const parts: string[] = []
  let y = HEADING
  for (const { workload, bars } of all) {
    const most = Math.max(...bars.map(({ cost }) => cost))
    const middle = y + (bars.length * (BAR + GAP)) / 2
    parts.push(`<text x="${LABEL - 90}" y="${middle}" text-anchor="end" class="group">${workload}</text>`)
    for (const { target, cost } of bars) {
      const width = Math.max(1, ((WIDTH - LABEL - VALUE) * cost) / most)
      const textY = y + BAR - GAP
      parts.push(
        `<text x="${LABEL - 8}" y="${textY}" text-anchor="end">${target}</text>`,
        `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2" fill="${COLOURS[target] ?? OTHER_COLOUR}"/>`,
        `<text x="${(LABEL + width + 6).toFixed(1)}" y="${textY}">${quantity(cost)}</text>`,
      )
      y += BAR + GAP
    }
    y += GROUP_GAP
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="${title}">
<style>text{font:12px sans-serif;fill:#334155}.group,.title{font-weight:600}@media(prefers-color-scheme:dark){text{fill:#cbd5e1}}</style>
<text x="12" y="22" class="title">${title}</text>
${parts.join('\n')}
</svg>
`
}
