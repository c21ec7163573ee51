/** docs/troubleshooting.md explains the warnings and errors that Warren logs: all of them, and none that it doesn't. */
import { expect } from 'chai'
import ts from 'typescript'
import { filesUnder, textOf } from '../../support/project-files.js'

const files = filesUnder('src')
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: textOf(name) }))
const source = files.map(({ text }) => text).join('\n')

/** What the first column of the tables by log line has in backquotes; `…` stands for anything. */
function explained(): string[] {
  const [, tables] = textOf('docs/troubleshooting.md').split('\n## By log line\n')
  return [...tables.matchAll(/^\| (`.*?`) +\|/gm)].flatMap(([, cell]) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, line]) => line),
  )
}

/** The texts with which the source logs warnings and errors, but for those that it makes up as it goes. */
function logged(): string[] {
  const texts = new Set<string>()
  const collect = (said: ts.Expression): void => {
    if (ts.isStringLiteral(said)) texts.add(said.text)
    if (ts.isConditionalExpression(said)) for (const one of [said.whenTrue, said.whenFalse]) collect(one)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
      const { name, expression } = node.expression
      if (/^(warn|error)$/.test(name.text) && /logger$/i.test(expression.getText()))
        collect(node.arguments[0])
    }
    node.forEachChild(visit)
  }
  for (const { name, text } of files) visit(ts.createSourceFile(name, text, ts.ScriptTarget.ESNext, true))
  return [...texts]
}

describe('docs/troubleshooting.md', () => {
  const lines = explained()

  it('has tables of log lines', () => {
    expect(lines).to.have.length.above(40)
    expect(new Set(lines).size).to.equal(lines.length)
  })

  for (const line of lines)
    it(`explains a line that there is: ${line}`, () => {
      for (const part of line.split('…').map((text) => text.trim()))
        if (part !== '') expect(source).to.contain(part)
    })

  it('leaves no warning and no error out', () => {
    const texts = logged()
    expect(texts).to.include.members([
      'publish buffer full',
      'broker unblocked publishing',
      "the journal's lock can't be renewed",
      'message lost: the broker refuses it, and as many as may be are set aside already',
    ])
    expect(texts.filter((text) => !lines.includes(text))).to.deep.equal([])
  })
})
