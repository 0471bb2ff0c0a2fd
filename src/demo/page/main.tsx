import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app.js'
import { fetchInstance } from './instance.js'

const root = createRoot(document.getElementById('page')!)

fetchInstance().then((instance) => {
  root.render(<StrictMode><App instance={instance} /></StrictMode>)
}, (error: Error) => {
  root.render(<p className='failure'>The service does not say what it is: {error.message}. Is it still running? Load the page again when it is.</p>)
})
