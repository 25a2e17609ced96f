// The notice of a job's result, one sentence, becomes a list with codes and counts.
import { sql, type Kysely } from 'kysely'

export async function up(db: Kysely<any>): Promise<void> {
  const rows = await sql<{ id: string; result: string }>`
    select id, result from jobs where result like '%"notice":%'`.execute(db)
  for (const { id, result } of rows.rows) {
    const { notice, ...kept } = JSON.parse(result) as { notice?: string }
    if (typeof notice !== 'string') continue
    const code = notice.includes('options.ocr') ? 'not_read' : 'no_text'
    const changed = JSON.stringify({ ...kept, notices: [{ code, message: notice, count: 1 }] })
    await sql`update jobs set result = ${changed} where id = ${id}`.execute(db)
  }
}
