/** The objects on the heap of this process, also those that only private fields hold. */
import { Session } from 'node:inspector/promises'

const scratch = globalThis as { warrenObjects?: object[] }

/** All living objects whose class has one of the names, by that name. Errors count as `Error`, whatever their class. */
export async function liveObjects(names: ReadonlySet<string>): Promise<Map<string, object[]>> {
  const found = new Map<string, object[]>()
  for (const object of await allObjects()) {
    const name = object instanceof Error ? 'Error' : classNameOf(object)
    // A prototype has its constructor as its own.
    if (name === undefined || !names.has(name) || Object.hasOwn(object, 'constructor')) continue
    found.set(name, [...(found.get(name) ?? []), object])
  }
  return found
}

async function allObjects(): Promise<readonly object[]> {
  const session = new Session()
  session.connect()
  try {
    const { result } = await session.post('Runtime.evaluate', { expression: 'Object.prototype' })
    const { objects } = await session.post('Runtime.queryObjects', { prototypeObjectId: result.objectId! })
    await session.post('Runtime.callFunctionOn', {
      objectId: objects.objectId!,
      functionDeclaration: 'function () { globalThis.warrenObjects = this }',
    })
    return scratch.warrenObjects ?? []
  } finally {
    session.disconnect()
    delete scratch.warrenObjects
  }
}

function classNameOf(object: object): string | undefined {
  const { constructor } = (Object.getPrototypeOf(object) ?? {}) as { constructor?: unknown }
  return typeof constructor === 'function' ? constructor.name : undefined
}
