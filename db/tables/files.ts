// Uploaded files and their blobs.

/** An uploaded file; its bytes are the blob of (user, sha256). */
export interface FilesTable {
  id: string
  /** A user, or `agent/<id>` for files of an agent. */
  user_id: string
  key_id: string | null
  name: string
  type: string
  size: number
  sha256: string
  /** The file that this one is derived from, and is deleted with. */
  made_of: string | null
  created_at: string
}

/** Blobs that may have no row that refers to them. */
export interface NotedBlobsTable {
  owner: string
  sha256: string
  noted_at: string
  /** Start of a running removal. */
  removing_at: string | null
}

/** A resumable upload that is not finished. Its id becomes that of the file. */
export interface UploadsTable {
  id: string
  user_id: string
  key_id: string | null
  /** The name of the file. */
  name: string
  /** JSON: what the client said of it. */
  metadata: string
  size: number
  /** Bytes that are stored. */
  received: number
  created_at: string
  /** When the last bytes were stored. */
  updated_at: string
}

/** Stored bytes of an upload: the blob of (`upload/<id>`, sha256). */
export interface UploadPiecesTable {
  upload_id: string
  /** Offset of the first byte. */
  start: number
  size: number
  sha256: string
}
