// What a person sends: a message, and files that are chosen, pasted or dropped.
import { attachments } from './attachments.js'
import { conversation } from './conversation-list.js'
import { $ } from './dom.js'
import { showEvents } from './events-panel.js'
import { isLearning, learn } from './knowledge.js'
import { live, remember, runningHere } from './live-turns.js'
import { Turn } from './turn.js'

let isOpen = false

/** Takes messages and files from now on: there is an agent for them. */
export function openComposer() {
  isOpen = true
  for (const control of [$('content'), $('send'), $('attach')]) control.disabled = false
}

function submit(content, attached = []) {
  const turn = new Turn({
    content,
    agent_id: $('agent').value,
    ...(conversation && { conversation_id: conversation }),
    ...(attached.length > 0 && { attachments: attached }),
  })
  live.set(turn.id, turn)
  $('turns').append(turn.element)
  $('empty').hidden = true
  $('scroll').scrollTop = $('scroll').scrollHeight
  showEvents(turn)
  remember()
  turn.follow()
}

/** Files that are dropped become knowledge where it is shown, and otherwise part of the next message. */
function takeFiles(files) {
  if (files.length === 0 || !isOpen) return
  if (isLearning()) for (const file of files) learn($('agent').value, file)
  else {
    for (const file of files) attachments.add(file)
    $('content').focus()
  }
}

const hasFiles = (event) => event.dataTransfer?.types.includes('Files')
const dropping = (isDropping) => document.body.classList.toggle('dropping', isDropping)
document.ondragover = (event) => {
  if (!hasFiles(event)) return
  event.preventDefault()
  dropping(true)
}
document.ondragleave = (event) => {
  if (event.relatedTarget === null) dropping(false)
}
document.ondrop = (event) => {
  if (!hasFiles(event)) return
  event.preventDefault()
  dropping(false)
  takeFiles([...(event.dataTransfer?.files ?? [])])
}
$('content').onpaste = ({ clipboardData }) => takeFiles([...(clipboardData?.files ?? [])])
for (const { button, input } of [
  { button: $('attach'), input: $('attach-files') },
  { button: $('learn'), input: $('learn-files') },
]) {
  button.onclick = () => input.click()
  input.onchange = () => {
    takeFiles([...(input.files ?? [])])
    input.value = ''
  }
}

$('composer').onsubmit = (event) => {
  event.preventDefault()
  const content = $('content').value
  if (!isOpen || (content.trim() === '' && attachments.isEmpty())) return
  const attached = attachments.take()
  if (!attached) return
  $('content').value = ''
  submit(content, attached)
}
$('content').onkeydown = (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  event.preventDefault()
  $('composer').requestSubmit()
}
$('stop').onclick = () => runningHere()?.stop()
$('example').onclick = () => submit($('example').textContent)
