/** A table of thousands of rows, page by page: searched and sorted by the server. */
import { find, make, setText } from './elements.js'
import { exact } from './format.js'

const PAGE = 25
/** Typing is one question, not one for each letter. */
const SEARCH_WAIT_MS = 200

const TONES = { open: 'good', ready: 'good', handshake: 'dim', idle: 'dim' }

export class List {
  #name
  #columns
  #actions
  #allActions
  #texts
  #isRare
  #empty
  #load
  #sort
  #offset = 0
  #total = 0
  #asked = ''
  #rows = new Map()

  /**
   * `columns` are field, title, and how a number is written; `texts` has other words for some fields of a row. `actions` makes the buttons of a row,
   * `allActions` are those for all that there is, and `load` asks the server. A list that `isRare` isn't shown while there is nothing in it.
   */
  constructor({
    name,
    title,
    columns,
    sort,
    actions,
    allActions = [],
    texts = () => ({}),
    isRare = false,
    empty,
    load,
  }) {
    this.#name = name
    this.#columns = columns
    this.#actions = actions
    this.#allActions = allActions
    this.#texts = texts
    this.#isRare = isRare
    this.#empty = empty
    this.#load = load
    this.#sort = sort
    this.#build(title)
  }

  #build(title) {
    const section = find(this.#name)
    const heading = make('h2', { id: `${this.#name}Title`, textContent: title })
    section.setAttribute('aria-labelledby', heading.id)
    section.tabIndex = -1
    this.range = make('span', { className: 'dim', role: 'status' })
    let wait
    this.search = make('input', {
      type: 'search',
      placeholder: 'Search',
      'aria-label': `Search ${this.#name}`,
      oninput: () => {
        clearTimeout(wait)
        wait = setTimeout(() => this.#turnTo(0), SEARCH_WAIT_MS)
      },
    })
    this.sorting = make(
      'select',
      {
        className: 'narrow',
        'aria-label': `Sort ${this.#name} by`,
        onchange: () => this.#sortBy(this.sorting.value),
      },
      ...this.#columns.flatMap(([field, text]) => [
        make('option', { value: field, textContent: `${text} ↑` }),
        make('option', { value: `-${field}`, textContent: `${text} ↓` }),
      ]),
    )
    const turn = (text, label, to) =>
      make('button', {
        type: 'button',
        textContent: text,
        'aria-label': `${label} ${this.#name}`,
        title: label,
        onclick: () => this.#turnTo(to()),
      })
    this.back = [turn('«', 'First', () => 0), turn('‹', 'Previous', () => this.#offset - PAGE)]
    this.forth = [
      turn('›', 'Next', () => this.#offset + PAGE),
      turn('»', 'Last', () => Math.floor((this.#total - 1) / PAGE) * PAGE),
    ]
    this.turning = make('span', { className: 'turning', hidden: true }, ...this.back, ...this.forth)
    this.head = make('tr')
    for (const [field, text, format] of this.#columns)
      this.head.append(
        make(
          'th',
          { className: format ? 'n' : '', scope: 'col' },
          make('button', {
            type: 'button',
            textContent: text,
            onclick: () => this.#sortBy(this.#flipped(field)),
          }),
        ),
      )
    this.head.append(
      make('th', { scope: 'col' }, make('span', { className: 'unseen', textContent: 'Actions' })),
    )
    this.body = make('tbody')
    this.nothing = make('p', { className: 'nothing dim' })
    this.table = make('table', { 'aria-labelledby': heading.id }, make('thead', {}, this.head), this.body)
    section.append(
      make(
        'div',
        { className: 'bar' },
        heading,
        this.range,
        make('span', { className: 'grow' }),
        this.search,
        this.sorting,
        this.turning,
        ...this.#allActions.map(actionButton),
      ),
      make('div', { className: 'scroll' }, this.table),
      this.nothing,
    )
    this.#showSort()
  }

  /** Asks for the rows that are to be seen, and shows them. */
  async refresh() {
    const query = new URLSearchParams({ sort: this.#sort, offset: this.#offset, limit: PAGE })
    const search = this.search.value.trim()
    if (search !== '') query.set('search', search)
    const asked = query.toString()
    this.#asked = asked
    const answer = await this.#load(`/${this.#name}?${asked}`)
    // A later question has overtaken this one.
    if (this.#asked !== asked) return
    if (this.#offset >= answer.total && this.#offset > 0) {
      this.#offset = Math.max(0, Math.floor((answer.total - 1) / PAGE) * PAGE)
      return this.refresh()
    }
    this.#show(answer.total, answer[this.#name], search)
  }

  #show(total, rows, search) {
    this.#total = total
    this.#appear(total > 0 || search !== '')
    const last = this.#offset + rows.length
    const isWhole = rows.length === total
    setText(
      this.range,
      isWhole ? exact(total) : `${exact(this.#offset + 1)}–${exact(last)} of ${exact(total)}`,
    )
    for (const button of this.back) this.#enable(button, this.#offset > 0)
    for (const button of this.forth) this.#enable(button, last < total)
    this.turning.hidden = total <= PAGE
    this.table.hidden = rows.length === 0
    setText(this.nothing, rows.length > 0 ? '' : search === '' ? this.#empty : `Nothing matches “${search}”.`)
    this.#place(rows)
  }

  /** What is hidden can't have the focus: the keyboard goes on where it would have gone anyway. */
  #appear(hasSomething) {
    const section = find(this.#name)
    const isHidden = this.#isRare && !hasSomething
    if (section.hidden === isHidden) return
    const hadFocus = section.contains(document.activeElement)
    section.hidden = isHidden
    if (isHidden && hadFocus) section.nextElementSibling?.focus({ preventScroll: true })
  }

  /** Rows keep their elements, so that a button which has the focus stays the one of its row, wherever that goes. */
  #place(rows) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : undefined
    const position = focused && [...this.body.children].indexOf(focused.closest('tr'))
    const ids = new Set(rows.map(({ id }) => id))
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue
      row.element.remove()
      this.#rows.delete(id)
    }
    rows.forEach((values, at) => {
      let row = this.#rows.get(values.id)
      if (row === undefined) this.#rows.set(values.id, (row = this.#makeRow()))
      this.#fill(row, values)
      if (this.body.children[at] !== row.element)
        this.body.insertBefore(row.element, this.body.children[at] ?? null)
    })
    if (focused === undefined || document.activeElement === focused) return
    if (focused.isConnected) return focused.focus({ preventScroll: true })
    const next = this.body.children[Math.min(position, this.body.children.length - 1)]
    ;(next?.querySelector('button') ?? this.search).focus({ preventScroll: true })
  }

  #makeRow() {
    const cells = this.#columns.map(([, title, format]) =>
      make('td', { className: format ? 'n' : '', 'data-title': title }),
    )
    const actions = make('td', { className: 'act' })
    return { element: make('tr', {}, ...cells, actions), cells, actions, buttons: '' }
  }

  #fill(row, values) {
    const texts = this.#texts(values)
    this.#columns.forEach(([field, , format], at) => {
      const value = values[field]
      const cell = row.cells[at]
      const text = texts[field] ?? (value === null ? '–' : format ? format(value) : String(value))
      setText(cell, text)
      if (!format && cell.title !== text) cell.title = text
      if (field === 'state') cell.className = `state ${TONES[value] ?? 'warn'}`
    })
    // Made anew only where they become others: Pause turns into Resume.
    const buttons = this.#actions(values)
    const labels = buttons.map(({ label }) => label).join()
    if (labels === row.buttons) return
    row.buttons = labels
    const hadFocus = [...row.actions.children].indexOf(document.activeElement)
    row.actions.replaceChildren(...buttons.map(actionButton))
    row.actions.children[hadFocus]?.focus({ preventScroll: true })
  }

  /** A button that is disabled while it has the focus hands it to the keyboard's next place by itself only in some browsers. */
  #enable(button, isEnabled) {
    if (!isEnabled && document.activeElement === button) this.search.focus({ preventScroll: true })
    button.disabled = !isEnabled
  }

  #turnTo(offset) {
    this.#offset = Math.max(0, offset)
    void this.refresh().catch(() => undefined)
  }

  #flipped(field) {
    const isText = !this.#columns.find(([name]) => name === field)[2]
    if (this.#sort === field) return `-${field}`
    if (this.#sort === `-${field}`) return field
    return isText ? field : `-${field}`
  }

  #sortBy(sort) {
    this.#sort = sort
    this.#showSort()
    this.#turnTo(0)
  }

  #showSort() {
    this.sorting.value = this.#sort
    this.#columns.forEach(([field], at) => {
      const cell = this.head.children[at]
      if (this.#sort.replace('-', '') !== field) cell.removeAttribute('aria-sort')
      else cell.setAttribute('aria-sort', this.#sort.startsWith('-') ? 'descending' : 'ascending')
    })
  }
}

function actionButton({ text, label, isDanger, act }) {
  return make('button', {
    type: 'button',
    textContent: text,
    'aria-label': label,
    className: isDanger ? 'danger' : '',
    onclick: act,
  })
}
