import { byId } from './elements.js'

/** Whether this browser may look, and whether there is room. Rejects where the service cannot be reached, or has not answered for so long. */
export async function session (patienceMs: number): Promise<{ readonly admitted: boolean, readonly full?: boolean }> {
  const answer = await fetch('/dashboard/session', { signal: AbortSignal.timeout(patienceMs) })
  return await answer.json() as { readonly admitted: boolean, readonly full?: boolean }
}

/** Asks for a key, and resolves once one was good. */
export async function askForKey (): Promise<void> {
  const gate = byId<HTMLFormElement>('gate')
  const field = byId<HTMLInputElement>('key')
  const problem = byId('problem')
  gate.hidden = false
  field.focus()
  return new Promise((resolve) => {
    gate.onsubmit = (event) => {
      event.preventDefault()
      problem.textContent = ''
      void show(field.value).then((wrong) => {
        problem.textContent = wrong ?? ''
        field.select()
        if (wrong !== undefined) return
        field.value = ''
        gate.hidden = true
        resolve()
      })
    }
  })
}

/** What is wrong with it; `undefined` if nothing is. */
async function show (key: string): Promise<string | undefined> {
  try {
    const { status, headers } = await fetch('/dashboard/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ key }) })
    if (status === 204) return undefined
    if (status === 401) return 'That is none of the keys.'
    return status === 429 ? `Too many attempts: wait for ${headers.get('retry-after')} s.` : `That did not work (${status}).`
  } catch {
    return 'The service cannot be reached.' // fetch says no more than that, either.
  }
}
