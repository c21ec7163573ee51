/** Publishing with confirms: each connection keeps a window of messages unconfirmed. */
import { confirmingPublishers } from './confirming.js'
import { generate } from './generator.js'

await generate(async (settings) => ({ run: await confirmingPublishers(settings) }))
