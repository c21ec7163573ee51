import { newTally } from '../../fuzz/arena.js'
import { playWorld } from '../../fuzz/play.js'

/** Worlds that are played every time, and one more that is another one each time. */
const SEEDS = [1, 2, 3, 4, 1442359629, Math.floor(Math.random() * 2 ** 31)]
const ROUNDS = 30

describe('Whatever a client sends', () => {
  for (const seed of SEEDS) {
    it(`its neighbours and the broker don't notice, and nothing of it is left (npm run fuzz -- --seed ${seed} --worlds 1 --rounds ${ROUNDS})`, async function () {
      // The machine may be busy.
      this.timeout(120_000)
      await playWorld(seed, ROUNDS, newTally())
    })
  }
})
