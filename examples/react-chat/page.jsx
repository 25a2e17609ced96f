// A chat with useChat. The id of the chat is in the address, so that a reload goes on with it.
import { useChat } from '@ai-sdk/react'
import { muxi } from '@muxi/client'
import { MuxiChatTransport } from '@muxi/client/use-chat'
import { isToolUIPart, lastAssistantMessageIsCompleteWithApprovalResponses } from 'ai'
import { useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'

location.hash ||= crypto.randomUUID()
const chatId = location.hash.slice(1)

// The server that serves the page adds the key. Without `agentName` the orchestrator chooses.
const transport = new MuxiChatTransport(muxi({ serverUrl: '' }), { agentName: 'assistant' })

function Chat({ messages }) {
  const [text, setText] = useState('')
  const chat = useChat({
    id: chatId,
    messages,
    transport,
    resume: true,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  })
  const answer = (id, approved) => chat.addToolApprovalResponse({ id, approved })
  return (
    <main data-status={chat.status}>
      {chat.messages.map(({ id, role, parts }) => (
        <article key={id} data-role={role}>
          {parts.map((part, index) => {
            if (part.type === 'text') return <span key={index}>{part.text}</span>
            if (!isToolUIPart(part) || part.state !== 'approval-requested') return null
            return (
              <p key={index}>
                <button onClick={() => answer(part.approval.id, true)}>Approve</button>
                <button onClick={() => answer(part.approval.id, false)}>Deny</button>
              </p>
            )
          })}
        </article>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void chat.sendMessage({ text })
          setText('')
        }}
      >
        <input aria-label="Message" value={text} onChange={(event) => setText(event.target.value)} />
        <button>Send</button>
        <button type="button" onClick={() => chat.stop()}>
          Stop
        </button>
      </form>
      {chat.error && <p role="alert">{chat.error.message}</p>}
    </main>
  )
}

function Page() {
  const [messages, setMessages] = useState()
  useEffect(() => void transport.loadMessages(chatId).then(setMessages), [])
  return messages && <Chat messages={messages} />
}

createRoot(document.getElementById('root')).render(<Page />)
