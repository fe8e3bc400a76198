// Runs in the browser: draws the dashboard's panels, each where Grafana has it, by uPlot. `draw(panels)` is
// all that is called from outside.
/* global document, uPlot */
const ROW = 38
const COLUMN = 62
const GAP = 6
const LEGEND = 36
const BACKGROUND = '#181b1f'
const PALETTE = [
  '#73bf69',
  '#f2cc0c',
  '#5794f2',
  '#ff780a',
  '#f2495c',
  '#b877d9',
  '#8ab8ff',
  '#ffa6b0',
  '#37872d',
  '#e0b400',
]
const COLORS = {
  green: '#73bf69',
  orange: '#ff9830',
  red: '#f2495c',
  yellow: '#f2cc0c',
  blue: '#5794f2',
  gray: '#8e8e96',
  text: '#d8d9da',
}

const SPANS = [
  [86400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
]
const UNITS = {
  reqps: value => `${round(value)} req/s`,
  percentunit: value => `${round(value * 100)} %`,
  short: value => round(value),
  bytes: value => `${round(value / 2 ** 20)} MiB`,
  s(value) {
    const [span, name] = SPANS.find(([span]) => Math.abs(value) >= span) ?? [1, 's']
    return `${round(value / span)} ${name}`
  },
}

function round(value) {
  return String(Number(value.toPrecision(3)))
}

/**
 * The colour at that opacity over the panel's own: layers of a stack lie over each other and must not shine
 * through.
 */
function over(color, opacity) {
  const channels = [1, 3, 5].map(at =>
    [color, BACKGROUND].map(text => Number.parseInt(text.slice(at, at + 2), 16)),
  )
  return `rgb(${channels.map(([front, back]) => Math.round(front * opacity + back * (1 - opacity))).join()})`
}

function element(parent, name, style = {}, text = '') {
  const made = document.createElement(name)
  Object.assign(made.style, style)
  made.textContent = text
  parent.append(made)
  return made
}

/** One line of time for all series of a panel; null where a series has no value. */
function columnsOf(series, from, until) {
  const instants = [
    ...new Set(series.flatMap(({ points }) => points.map(([at]) => at))),
  ].sort((a, b) => a - b)
  const times = instants.length > 0 ? instants : [from, until]
  return [
    times,
    ...series.map(({ points }) => {
      const byTime = new Map(points)
      return times.map(at => (Number.isFinite(byTime.get(at)) ? byTime.get(at) : null))
    }),
  ]
}

function stacked([times, ...columns]) {
  const sums = times.map(() => 0)
  return [
    times,
    ...columns.map(column => column.map((value, index) => (sums[index] += value ?? 0))),
  ]
}

/** A colour for each line: that which it has, lighter for each further line of it, or the next one. */
function colorsOf(series) {
  const used = new Map()
  return series.map(({ color }, index) => {
    if (color === null) return PALETTE[index % PALETTE.length]
    const times = used.get(color) ?? 0
    used.set(color, times + 1)
    return lighter(COLORS[color], times)
  })
}

function lighter(color, times) {
  const channels = [1, 3, 5].map(at => Number.parseInt(color.slice(at, at + 2), 16))
  const share = 1 - 0.75 ** times
  const hex = channel =>
    Math.round(channel + (255 - channel) * share)
      .toString(16)
      .padStart(2, '0')
  return `#${channels.map(hex).join('')}`
}

/** Draws the thresholds as dashed lines, each in its colour. */
function drawThresholds({ ctx, bbox, valToPos, scales: { y } }, thresholds) {
  for (const { color, value } of thresholds) {
    if (value === null || value > y.max) continue
    const at = valToPos(value, 'y', true)
    ctx.save()
    ctx.strokeStyle = COLORS[color]
    ctx.setLineDash([6, 6])
    ctx.beginPath()
    ctx.moveTo(bbox.left, at)
    ctx.lineTo(bbox.left + bbox.width, at)
    ctx.stroke()
    ctx.restore()
  }
}

function timeseries(box, panel) {
  const { series, unit, stack, fill, thresholds, isLined } = panel
  const { from, until, width, height } = panel
  const colors = colorsOf(series)
  const plain = columnsOf(series, from, until)
  // The tallest of a stack is drawn first, so that each shows its own part.
  const order = series.map((_, index) => index)
  if (stack) order.reverse()
  const [times, ...columns] = stack ? stacked(plain) : plain
  const colorOf = index => colors[index]
  const fillOf = index =>
    stack
      ? over(colorOf(index), fill)
      : `${colorOf(index)}${Math.round(fill * 255)
          .toString(16)
          .padStart(2, '0')}`
  const lines = order.map(index => ({
    stroke: colorOf(index),
    fill: fillOf(index),
    width: 1,
    points: { show: false },
  }))
  const axis = {
    stroke: '#9fa7b3',
    grid: { stroke: '#2c3235', width: 1 },
    ticks: { show: false },
    font: '11px sans-serif',
  }
  const plot = element(box, 'div')
  // eslint-disable-next-line new-cap
  const chart = new uPlot(
    {
      width,
      height: height - LEGEND,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { min: from, max: until },
        y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
      },
      axes: [
        {
          ...axis,
          size: 22,
          space: 70,
          values: (_, at) =>
            at.map(value => new Date(value * 1000).toISOString().slice(11, 19)),
        },
        { ...axis, size: 62, values: (_, at) => at.map(UNITS[unit]) },
      ],
      series: [{}, ...lines],
      hooks: { draw: isLined ? [plotted => drawThresholds(plotted, thresholds)] : [] },
    },
    [times, ...order.map(index => columns[index])],
    plot,
  )
  const legend = element(box, 'div', {
    display: 'flex',
    flexWrap: 'wrap',
    columnGap: '10px',
    padding: '0 10px',
    height: `${LEGEND - 4}px`,
    overflow: 'hidden',
    whiteSpace: 'nowrap',
    fontSize: '10px',
    lineHeight: '15px',
    color: '#c7d0d9',
  })
  series.forEach(({ name }, index) => {
    const entry = element(legend, 'span', {
      display: 'flex',
      alignItems: 'center',
      gap: '4px',
    })
    element(entry, 'span', { width: '12px', height: '3px', background: colorOf(index) })
    element(entry, 'span', {}, name)
  })
  return chart
}

/** What a single number says. */
function textOf({ series, states, unit, decimals, textMode, noValue }, value) {
  if (value === undefined) return noValue
  if (textMode === 'name') return series[0].name
  const rounded = decimals === null ? value : Number(value.toFixed(decimals))
  return states[value]?.text ?? UNITS[unit](rounded)
}

function stat(box, panel) {
  const { series, thresholds, from, until, width, height } = panel
  const points = series[0]?.points ?? []
  const value = points.at(-1)?.[1]
  const step = thresholds.findLast(each => each.value === null || value >= each.value)
  const color = COLORS[panel.color ?? step?.color ?? 'green']
  element(
    box,
    'div',
    {
      position: 'absolute',
      top: '26px',
      width: '100%',
      textAlign: 'center',
      fontSize: '30px',
      fontWeight: '500',
      color,
      zIndex: 1,
    },
    textOf(panel, value),
  )
  if (value === undefined) return
  const spark = element(box, 'div', { position: 'absolute', bottom: '0', left: '0' })
  // eslint-disable-next-line new-cap
  return new uPlot(
    {
      width: width + 2,
      height: height * 0.55,
      legend: { show: false },
      cursor: { show: false },
      padding: [0, 0, 0, 0],
      scales: {
        x: { min: from, max: until },
        y: { range: (_, min, max) => [Math.min(0, min), max > 0 ? max * 1.1 : 1] },
      },
      axes: [{ show: false }, { show: false }],
      series: [
        {},
        {
          stroke: color,
          fill: `${color}30`,
          width: 1,
          points: { show: false },
        },
      ],
    },
    columnsOf(series.slice(0, 1), from, until),
    spark,
  )
}

function timeline(box, { series, states, from, until, height }) {
  const rows = element(box, 'div', {
    position: 'absolute',
    top: '28px',
    left: '10px',
    right: '10px',
    height: `${height - 34}px`,
  })
  const each = (height - 34) / Math.max(series.length, 1)
  series.forEach(({ name, points }, index) => {
    const row = {
      position: 'absolute',
      top: `${index * each}px`,
      height: `${each * 0.8}px`,
      lineHeight: `${each * 0.8}px`,
      fontSize: '11px',
    }
    element(
      rows,
      'div',
      {
        ...row,
        width: '190px',
        overflow: 'hidden',
        textOverflow: 'ellipsis',
        whiteSpace: 'nowrap',
        color: '#c7d0d9',
      },
      name,
    )
    const track = element(rows, 'div', { ...row, left: '200px', right: '0' })
    const share = at => `${((at - from) / (until - from)) * 100}%`
    points.forEach(([at, value], place) => {
      if (points[place - 1]?.[1] === value) return
      const rest = points.slice(place)
      const next = rest.find(([, other]) => other !== value)?.[0]
      const end = next ?? points.at(-1)[0]
      const { text, color } = states[value]
      element(
        track,
        'div',
        {
          position: 'absolute',
          left: share(at),
          width: `calc(${share(end)} - ${share(at)})`,
          height: '100%',
          background: `${COLORS[color]}b0`,
          color: '#fff',
          textAlign: 'center',
          overflow: 'hidden',
        },
        text,
      )
    })
  })
}

const KINDS = { timeseries, stat, 'state-timeline': timeline }

/** The heading of a row. */
function heading({ title, gridPos: { y } }) {
  element(
    document.body,
    'div',
    {
      position: 'absolute',
      left: `${GAP * 2}px`,
      top: `${y * ROW + GAP}px`,
      lineHeight: `${ROW - GAP}px`,
      fontSize: '15px',
      fontWeight: '500',
      color: COLORS.text,
    },
    title,
  )
}

/** Draws the panels: what the dashboard says of each, with its series. */
globalThis.draw = panels => {
  for (const panel of panels) {
    if (panel.type === 'row') {
      heading(panel)
      continue
    }
    const { x, y, w, h } = panel.gridPos
    const [width, height] = [w * COLUMN - GAP, h * ROW - GAP]
    const box = element(document.body, 'div', {
      position: 'absolute',
      left: `${x * COLUMN + GAP}px`,
      top: `${y * ROW + GAP}px`,
      width: `${width}px`,
      height: `${height}px`,
      background: BACKGROUND,
      border: '1px solid #24282d',
      borderRadius: '3px',
      overflow: 'hidden',
    })
    element(
      box,
      'div',
      {
        padding: '5px 10px',
        fontSize: '12px',
        fontWeight: '500',
        color: '#d8d9da',
      },
      panel.title,
    )
    KINDS[panel.type](box, { ...panel, width: width - 2, height: height - 26 })
  }
}
