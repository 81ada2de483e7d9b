CREATE TABLE access_token (
	id VARCHAR(12) NOT NULL, 
	name TEXT NOT NULL, 
	role VARCHAR(8) NOT NULL, 
	collections JSON, 
	levels JSON, 
	hash VARCHAR(64) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	created_by TEXT NOT NULL, 
	expires_at DOUBLE, 
	revoked_at DOUBLE, 
	revoked_by TEXT, 
	CONSTRAINT pk_access_token PRIMARY KEY (id), 
	CONSTRAINT ck_access_token_role CHECK (role IN ('viewer', 'operator', 'admin', 'auditor')), 
	CONSTRAINT ck_access_token_revoked CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);

CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

INSERT INTO "alembic_version" VALUES('0042');

CREATE TABLE attempt (
	id INTEGER NOT NULL, 
	work_id INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	epoch INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	worker TEXT NOT NULL, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE NOT NULL, 
	outcome VARCHAR(10) NOT NULL, 
	error_class TEXT, 
	error TEXT, 
	CONSTRAINT pk_attempt PRIMARY KEY (id), 
	CONSTRAINT ck_attempt_outcome CHECK (outcome IN ('ok', 'error', 'lost', 'parked', 'returned', 'cancelled')), 
	CONSTRAINT fk_attempt_work_id FOREIGN KEY(work_id) REFERENCES work (id) ON DELETE CASCADE, 
	CONSTRAINT uq_attempt_work_id_epoch UNIQUE (work_id, epoch)
);

CREATE TABLE audit_head (
	chain TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	mac VARCHAR(64) NOT NULL, 
	floor BIGINT NOT NULL, 
	floor_mac VARCHAR(64) NOT NULL, 
	seal VARCHAR(64) NOT NULL, 
	key_id VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_audit_head PRIMARY KEY (chain)
)
 WITHOUT ROWID

;

CREATE TABLE audit_record (
	chain TEXT NOT NULL, 
	seq BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	mac VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_record PRIMARY KEY (chain, seq)
)
 WITHOUT ROWID

;

CREATE TABLE backup (
	id VARCHAR(16) NOT NULL, 
	place TEXT NOT NULL, 
	made_at DOUBLE NOT NULL, 
	CONSTRAINT pk_backup PRIMARY KEY (id)
);

CREATE TABLE budget (
	id INTEGER NOT NULL, 
	scope VARCHAR(10) NOT NULL, 
	name TEXT DEFAULT '' NOT NULL, 
	limit_microusd BIGINT, 
	limit_tokens BIGINT, 
	used_microusd BIGINT DEFAULT '0' NOT NULL, 
	used_tokens BIGINT DEFAULT '0' NOT NULL, 
	day VARCHAR(10) DEFAULT '' NOT NULL, 
	refused_microusd BIGINT, 
	refused_tokens BIGINT, 
	refused_at DOUBLE, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_budget PRIMARY KEY (id), 
	CONSTRAINT ck_budget_scope CHECK (scope IN ('day', 'job', 'collection', 'provider', 'total')), 
	CONSTRAINT ck_budget_limited CHECK (limit_microusd IS NOT NULL OR limit_tokens IS NOT NULL), 
	CONSTRAINT ck_budget_refused CHECK ((refused_at IS NULL) = (refused_microusd IS NULL)), 
	CONSTRAINT uq_budget_scope_name UNIQUE (scope, name)
);

CREATE TABLE budget_alert (
	id INTEGER NOT NULL, 
	budget_id INTEGER NOT NULL, 
	day VARCHAR(10) NOT NULL, 
	percent INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_budget_alert PRIMARY KEY (id), 
	CONSTRAINT fk_budget_alert_budget_id FOREIGN KEY(budget_id) REFERENCES budget (id) ON DELETE CASCADE, 
	CONSTRAINT uq_budget_alert_budget_id_day_percent UNIQUE (budget_id, day, percent)
);

CREATE TABLE bulk_batch (
	id INTEGER NOT NULL, 
	"key" VARCHAR(32) NOT NULL, 
	job_id INTEGER, 
	usage_id INTEGER, 
	kind VARCHAR(8) NOT NULL, 
	target TEXT NOT NULL, 
	provider TEXT NOT NULL, 
	model TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	state VARCHAR(10) NOT NULL, 
	requests INTEGER NOT NULL, 
	inputs INTEGER NOT NULL, 
	tokens_in BIGINT NOT NULL, 
	tokens_out BIGINT NOT NULL, 
	vendor_id TEXT, 
	vendor_state TEXT, 
	file_id TEXT, 
	succeeded INTEGER DEFAULT '0' NOT NULL, 
	errored INTEGER DEFAULT '0' NOT NULL, 
	returned INTEGER DEFAULT '0' NOT NULL, 
	troubles INTEGER DEFAULT '0' NOT NULL, 
	error TEXT, 
	created_at DOUBLE NOT NULL, 
	submitting_at DOUBLE, 
	submitted_at DOUBLE, 
	expires_at DOUBLE, 
	due_at DOUBLE NOT NULL, 
	cancelled_at DOUBLE, 
	ended_at DOUBLE, 
	rests_until DOUBLE, 
	CONSTRAINT pk_bulk_batch PRIMARY KEY (id), 
	CONSTRAINT ck_bulk_batch_state CHECK (state IN ('prepared', 'submitting', 'submitted', 'collected', 'ended', 'released')), 
	CONSTRAINT ck_bulk_batch_ended CHECK ((state IN ('ended', 'released')) = (ended_at IS NOT NULL)), 
	CONSTRAINT ck_bulk_batch_submitted CHECK (state NOT IN ('submitted', 'collected') OR vendor_id IS NOT NULL), 
	CONSTRAINT fk_bulk_batch_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE SET NULL, 
	CONSTRAINT fk_bulk_batch_usage_id FOREIGN KEY(usage_id) REFERENCES usage (id) ON DELETE SET NULL, 
	CONSTRAINT uq_bulk_batch_key UNIQUE ("key"), 
	CONSTRAINT uq_bulk_batch_vendor_id UNIQUE (vendor_id)
);

CREATE TABLE bulk_entry (
	id INTEGER NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	target TEXT NOT NULL, 
	job_id INTEGER NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	chunks_ref TEXT, 
	rejections_ref TEXT, 
	ordinal INTEGER NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	returns INTEGER DEFAULT '0' NOT NULL, 
	complaint TEXT, 
	alone BOOLEAN DEFAULT false NOT NULL, 
	batch_id INTEGER, 
	request INTEGER, 
	place INTEGER, 
	token VARCHAR(32), 
	error_class TEXT, 
	error TEXT, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_bulk_entry PRIMARY KEY (id), 
	CONSTRAINT ck_bulk_entry_state CHECK (state IN ('wanted', 'sent', 'done', 'failed', 'live')), 
	CONSTRAINT ck_bulk_entry_kind CHECK (kind IN ('embed', 'verdict')), 
	CONSTRAINT ck_bulk_entry_failed CHECK ((state = 'failed') = (error_class IS NOT NULL)), 
	CONSTRAINT fk_bulk_entry_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE CASCADE, 
	CONSTRAINT fk_bulk_entry_batch_id FOREIGN KEY(batch_id) REFERENCES bulk_batch (id) ON DELETE SET NULL, 
	CONSTRAINT uq_bulk_entry_kind_address UNIQUE (kind, address)
);

CREATE TABLE bulk_wait (
	entry_id INTEGER NOT NULL, 
	work_id INTEGER NOT NULL, 
	CONSTRAINT pk_bulk_wait PRIMARY KEY (entry_id, work_id), 
	CONSTRAINT fk_bulk_wait_entry_id FOREIGN KEY(entry_id) REFERENCES bulk_entry (id) ON DELETE CASCADE, 
	CONSTRAINT fk_bulk_wait_work_id FOREIGN KEY(work_id) REFERENCES work (id) ON DELETE CASCADE
);

CREATE TABLE cache_damage (
	kind VARCHAR(8) NOT NULL, 
	entries BIGINT NOT NULL, 
	CONSTRAINT pk_cache_damage PRIMARY KEY (kind)
);

CREATE TABLE cache_eviction (
	kind VARCHAR(8) NOT NULL, 
	entries BIGINT NOT NULL, 
	bytes BIGINT NOT NULL, 
	evicted_at DOUBLE NOT NULL, 
	CONSTRAINT pk_cache_eviction PRIMARY KEY (kind)
);

CREATE TABLE chore (
	name TEXT NOT NULL, 
	holder TEXT NOT NULL, 
	lease_until DOUBLE NOT NULL, 
	CONSTRAINT pk_chore PRIMARY KEY (name)
);

CREATE TABLE claim (
	source_id INTEGER NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	scan_id INTEGER NOT NULL, 
	seen_by INTEGER NOT NULL, 
	content VARCHAR(16) DEFAULT '' NOT NULL, 
	line INTEGER, 
	leaving BOOLEAN DEFAULT false NOT NULL, 
	CONSTRAINT pk_claim PRIMARY KEY (source_id, document_id), 
	CONSTRAINT fk_claim_source_id FOREIGN KEY(source_id) REFERENCES source (id) ON DELETE CASCADE, 
	CONSTRAINT fk_claim_document_id FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;

CREATE TABLE collection (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name VARCHAR(200) NOT NULL, 
	settings JSON NOT NULL, 
	active_index_version INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT uq_collection_name UNIQUE (name)
);

CREATE TABLE collection_change (
	collection_id INTEGER NOT NULL, 
	writer INTEGER NOT NULL, 
	changes BIGINT NOT NULL, 
	CONSTRAINT pk_collection_change PRIMARY KEY (collection_id, writer), 
	CONSTRAINT fk_collection_change_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE dead_letter (
	id INTEGER NOT NULL, 
	work_id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	error_class TEXT NOT NULL, 
	error TEXT NOT NULL, 
	hint TEXT NOT NULL, 
	fingerprint VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	crashes INTEGER NOT NULL, 
	code_version TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	resolved_at DOUBLE, 
	resolution VARCHAR(10), 
	resolution_reason TEXT, replay_id INTEGER CONSTRAINT fk_dead_letter_replay_id REFERENCES replay (id), settings_hash VARCHAR(32), index_version INTEGER, epoch INTEGER, 
	CONSTRAINT pk_dead_letter PRIMARY KEY (id), 
	CONSTRAINT ck_dead_letter_resolution CHECK (resolution IS NULL OR resolution IN ('replayed', 'discarded', 'superseded')), 
	CONSTRAINT ck_dead_letter_resolved CHECK ((resolved_at IS NULL) = (resolution IS NULL)), 
	CONSTRAINT fk_dead_letter_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE CASCADE, 
	CONSTRAINT fk_dead_letter_work_id FOREIGN KEY(work_id) REFERENCES work (id) ON DELETE CASCADE
);

CREATE TABLE document (
	id VARCHAR(32) NOT NULL, 
	collection_id INTEGER NOT NULL, 
	uri TEXT NOT NULL, 
	title TEXT DEFAULT '' NOT NULL, 
	generation INTEGER NOT NULL, 
	active_generation INTEGER DEFAULT '0' NOT NULL, 
	active_version VARCHAR(16), 
	content_hash VARCHAR(64), 
	settings_hash VARCHAR(32), 
	chunks_ref TEXT, 
	rejections_ref TEXT, 
	chunks_expected INTEGER DEFAULT '0' NOT NULL, 
	chunks_rejected INTEGER DEFAULT '0' NOT NULL, 
	updated_at DOUBLE NOT NULL, notes TEXT, wanted_version VARCHAR(16), source_state TEXT, access TEXT, owner TEXT, 
	CONSTRAINT pk_document PRIMARY KEY (id), 
	CONSTRAINT fk_document_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE document_redaction (
	document_id VARCHAR(32) NOT NULL, 
	generation INTEGER NOT NULL, 
	type VARCHAR(40) NOT NULL, 
	found INTEGER NOT NULL, 
	CONSTRAINT pk_document_redaction PRIMARY KEY (document_id, generation, type), 
	CONSTRAINT fk_document_redaction_document_id FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;

CREATE TABLE document_subject (
	document_id VARCHAR(32) NOT NULL, 
	generation INTEGER NOT NULL, 
	subject BLOB NOT NULL, 
	CONSTRAINT pk_document_subject PRIMARY KEY (document_id, generation, subject), 
	CONSTRAINT fk_document_subject_document_id FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;

CREATE TABLE encryption_key (
	id VARCHAR(16) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	collection_id INTEGER, 
	root_id VARCHAR(16), 
	root_name TEXT, 
	body BLOB, 
	state VARCHAR(8) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	wrapped_at DOUBLE NOT NULL, 
	CONSTRAINT pk_encryption_key PRIMARY KEY (id), 
	CONSTRAINT fk_encryption_key_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT ck_encryption_key_kind CHECK (kind IN ('root', 'secret', 'data')), 
	CONSTRAINT ck_encryption_key_state CHECK (state IN ('current', 'former')), 
	CONSTRAINT ck_encryption_key_owner CHECK ((kind = 'data') = (collection_id IS NOT NULL)), 
	CONSTRAINT ck_encryption_key_wrapped CHECK ((kind = 'root') = (root_id IS NULL))
);

CREATE TABLE erased_document (
	erasure_id VARCHAR(16) NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	collection_id INTEGER NOT NULL, 
	known JSON, 
	CONSTRAINT pk_erased_document PRIMARY KEY (erasure_id, document_id), 
	CONSTRAINT fk_erased_document_erasure_id FOREIGN KEY(erasure_id) REFERENCES erasure (id) ON DELETE CASCADE
);

CREATE TABLE erasure (
	id VARCHAR(16) NOT NULL, 
	cause VARCHAR(9) NOT NULL, 
	state VARCHAR(4) NOT NULL, 
	step TEXT NOT NULL, 
	progress JSON NOT NULL, 
	documents INTEGER NOT NULL, 
	error TEXT, 
	receipt JSON, 
	created_at DOUBLE NOT NULL, 
	finished_at DOUBLE, watched BLOB, 
	CONSTRAINT pk_erasure PRIMARY KEY (id), 
	CONSTRAINT ck_erasure_cause CHECK (cause IN ('asked', 'retention', 'restore')), 
	CONSTRAINT ck_erasure_state CHECK (state IN ('open', 'done')), 
	CONSTRAINT ck_erasure_finished CHECK ((state = 'done') = (finished_at IS NOT NULL))
);

CREATE TABLE feedback (
	id INTEGER NOT NULL, 
	query_id VARCHAR(16) NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	chunk VARCHAR(24) NOT NULL, 
	helpful BOOLEAN NOT NULL, 
	why TEXT, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_feedback PRIMARY KEY (id), 
	CONSTRAINT fk_feedback_query_id FOREIGN KEY(query_id) REFERENCES query_record (id) ON DELETE CASCADE, 
	CONSTRAINT uq_feedback_query_id_document_id_chunk UNIQUE (query_id, document_id, chunk)
);

CREATE TABLE flow_state (
	"key" TEXT NOT NULL, 
	value JSON NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_flow_state PRIMARY KEY ("key")
);

CREATE TABLE index_version (
	id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	model TEXT NOT NULL, 
	dimensions INTEGER NOT NULL, 
	chunker TEXT NOT NULL, 
	shards JSON NOT NULL, 
	created_at DOUBLE NOT NULL, leaving JSON, 
	CONSTRAINT pk_index_version PRIMARY KEY (id), 
	CONSTRAINT fk_index_version_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT uq_index_version_collection_id_number UNIQUE (collection_id, number)
);

CREATE TABLE installation (
	id INTEGER NOT NULL, 
	name VARCHAR(32) NOT NULL, query_key VARCHAR(64), 
	CONSTRAINT pk_installation PRIMARY KEY (id), 
	CONSTRAINT ck_installation_one CHECK (id = 1)
);

CREATE TABLE job (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	collection_id INTEGER NOT NULL, 
	identity TEXT NOT NULL, 
	sources JSON NOT NULL, 
	options JSON NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	weight INTEGER DEFAULT '1' NOT NULL, 
	unchanged INTEGER DEFAULT '0' NOT NULL, 
	skipped INTEGER DEFAULT '0' NOT NULL, 
	problems INTEGER DEFAULT '0' NOT NULL, 
	held_deletions INTEGER DEFAULT '0' NOT NULL, 
	error TEXT, 
	created_at DOUBLE NOT NULL, 
	enumerated_at DOUBLE, 
	finished_at DOUBLE, priority INTEGER DEFAULT 0 NOT NULL CONSTRAINT ck_job_priority CHECK (priority BETWEEN -100 AND 100), lane VARCHAR(4) DEFAULT 'live' NOT NULL CONSTRAINT ck_job_lane CHECK (lane IN ('live', 'bulk')), name TEXT, unmet INTEGER DEFAULT '0' NOT NULL, resumed_at DOUBLE, 
	CONSTRAINT ck_job_finished CHECK ((state IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL)), 
	CONSTRAINT ck_job_state CHECK (state IN ('running', 'paused', 'completed', 'failed', 'cancelled')), 
	CONSTRAINT fk_job_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE kept_answer (
	address VARCHAR(32) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	model TEXT NOT NULL, 
	prompt_hash VARCHAR(16) NOT NULL, 
	collection_id INTEGER, 
	changes BIGINT, 
	bytes INTEGER NOT NULL, 
	tokens BIGINT NOT NULL, 
	microusd BIGINT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	content BLOB NOT NULL, 
	CONSTRAINT pk_kept_answer PRIMARY KEY (address), 
	CONSTRAINT fk_kept_answer_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT ck_kept_answer_kind CHECK (kind IN ('grade', 'plan', 'result', 'answer')), 
	CONSTRAINT ck_kept_answer_rests CHECK ((collection_id IS NULL) = (changes IS NULL))
);

CREATE TABLE pool (
	queue VARCHAR(32) NOT NULL, 
	desired INTEGER, 
	paused BOOLEAN DEFAULT false NOT NULL, 
	revision INTEGER DEFAULT '0' NOT NULL, 
	updated_at DOUBLE NOT NULL, 
	CONSTRAINT pk_pool PRIMARY KEY (queue), 
	CONSTRAINT ck_pool_desired CHECK (desired IS NULL OR desired >= 0)
);

CREATE TABLE query_record (
	id VARCHAR(16) NOT NULL, 
	collection_id INTEGER NOT NULL, 
	door VARCHAR(8) NOT NULL, 
	hash VARCHAR(32) NOT NULL, 
	text TEXT, 
	mode VARCHAR(8) NOT NULL, 
	filtered BOOLEAN NOT NULL, 
	ranked BOOLEAN NOT NULL, 
	models JSON NOT NULL, 
	hits INTEGER NOT NULL, 
	relevance VARCHAR(4), 
	degraded BOOLEAN NOT NULL, 
	partial INTEGER NOT NULL, 
	seconds DOUBLE NOT NULL, 
	steps JSON NOT NULL, 
	calls INTEGER NOT NULL, 
	cost_microusd BIGINT NOT NULL, 
	faults JSON NOT NULL, 
	hallucinations INTEGER NOT NULL, 
	shown JSON NOT NULL, 
	first_rank INTEGER NOT NULL, 
	created_at DOUBLE NOT NULL, cached BIGINT DEFAULT '0' NOT NULL, saved_microusd BIGINT DEFAULT '0' NOT NULL, asked_by VARCHAR(32), 
	CONSTRAINT pk_query_record PRIMARY KEY (id), 
	CONSTRAINT fk_query_record_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT ck_query_record_door CHECK (door IN ('search', 'ask')), 
	CONSTRAINT ck_query_record_relevance CHECK (relevance IS NULL OR relevance IN ('good', 'weak', 'none'))
);

CREATE TABLE receipt (
	id VARCHAR(32) NOT NULL, 
	number BIGINT NOT NULL, 
	written_at DOUBLE NOT NULL, 
	CONSTRAINT pk_receipt PRIMARY KEY (id)
);

CREATE TABLE replay (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	filter JSON NOT NULL, 
	"by" TEXT NOT NULL, 
	rate DOUBLE, 
	count INTEGER DEFAULT '0' NOT NULL, 
	refused INTEGER DEFAULT '0' NOT NULL, 
	next_at DOUBLE, 
	created_at DOUBLE NOT NULL, 
	finished_at DOUBLE
);

CREATE TABLE review (
	id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	chunk VARCHAR(24) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	address VARCHAR(32) NOT NULL, 
	doubts JSON NOT NULL, 
	created_at DOUBLE NOT NULL, 
	resolved_at DOUBLE, 
	resolution VARCHAR(8), 
	CONSTRAINT pk_review PRIMARY KEY (id), 
	CONSTRAINT ck_review_resolved CHECK ((resolved_at IS NULL) = (resolution IS NULL)), 
	CONSTRAINT ck_review_resolution CHECK (resolution IS NULL OR resolution IN ('accepted', 'rejected')), 
	CONSTRAINT fk_review_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT fk_review_document_id FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE, 
	CONSTRAINT uq_review_document_id_chunk_address UNIQUE (document_id, chunk, address)
);

CREATE TABLE sample (
	id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	job_id INTEGER, 
	kind VARCHAR(8) NOT NULL, 
	chunk VARCHAR(24) NOT NULL, 
	ordinal INTEGER NOT NULL, 
	chunks_ref TEXT NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	attempts INTEGER DEFAULT '0' NOT NULL, 
	available_at DOUBLE NOT NULL, 
	score INTEGER, 
	reason TEXT, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_sample PRIMARY KEY (id), 
	CONSTRAINT ck_sample_kind CHECK (kind IN ('verdict', 'terms')), 
	CONSTRAINT ck_sample_state CHECK (state IN ('pending', 'done', 'failed')), 
	CONSTRAINT fk_sample_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT fk_sample_document_id FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE, 
	CONSTRAINT fk_sample_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE SET NULL, 
	CONSTRAINT uq_sample_document_id_kind_chunk UNIQUE (document_id, kind, chunk)
);

CREATE TABLE sample_count (
	collection_id INTEGER NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	sampled INTEGER DEFAULT '0' NOT NULL, 
	judged INTEGER DEFAULT '0' NOT NULL, 
	errors INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_sample_count PRIMARY KEY (collection_id, kind), 
	CONSTRAINT fk_sample_count_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE scan (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	source_id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	state VARCHAR(9) DEFAULT 'running' NOT NULL, 
	started_at DOUBLE NOT NULL, 
	ended_at DOUBLE, 
	CONSTRAINT ck_scan_state CHECK (state IN ('running', 'completed', 'abandoned')), 
	CONSTRAINT ck_scan_ended CHECK ((state = 'running') = (ended_at IS NULL)), 
	CONSTRAINT fk_scan_source_id FOREIGN KEY(source_id) REFERENCES source (id) ON DELETE CASCADE, 
	CONSTRAINT fk_scan_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE CASCADE
);

CREATE TABLE scan_note (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	uri TEXT NOT NULL, 
	line INTEGER, 
	reason TEXT NOT NULL, letter_id INTEGER, 
	CONSTRAINT pk_scan_note PRIMARY KEY (id), 
	CONSTRAINT ck_scan_note_kind CHECK (kind IN ('skipped', 'problem', 'unmet', 'note')), 
	CONSTRAINT fk_scan_note_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE CASCADE
);

CREATE TABLE schedule (
	source_id INTEGER NOT NULL, 
	spec JSON NOT NULL, 
	options JSON NOT NULL, 
	every_seconds DOUBLE, 
	cron VARCHAR(200), 
	zone VARCHAR(64) NOT NULL, 
	due_at DOUBLE NOT NULL, 
	began_at DOUBLE, 
	ended_at DOUBLE, 
	job_id INTEGER, 
	error TEXT, 
	failures INTEGER DEFAULT '0' NOT NULL, 
	failing_since DOUBLE, events TEXT DEFAULT '' NOT NULL, 
	CONSTRAINT pk_schedule PRIMARY KEY (source_id), 
	CONSTRAINT fk_schedule_source_id FOREIGN KEY(source_id) REFERENCES source (id) ON DELETE CASCADE, 
	CONSTRAINT fk_schedule_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE SET NULL, 
	CONSTRAINT ck_schedule_timetable CHECK ((every_seconds IS NULL) <> (cron IS NULL)), 
	CONSTRAINT ck_schedule_failing CHECK ((failures = 0) = (failing_since IS NULL))
);

CREATE TABLE source (
	id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	identity TEXT NOT NULL, 
	spec JSON NOT NULL, state VARCHAR(6) DEFAULT 'open' NOT NULL CONSTRAINT ck_source_state CHECK (state IN ('open', 'closed')), scanned_at DOUBLE, access TEXT, owner TEXT, 
	CONSTRAINT pk_source PRIMARY KEY (id), 
	CONSTRAINT fk_source_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT uq_source_collection_id_identity UNIQUE (collection_id, identity)
);

CREATE TABLE source_memory (
	source_id INTEGER NOT NULL, 
	address VARCHAR(32) NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_source_memory PRIMARY KEY (source_id, address), 
	CONSTRAINT fk_source_memory_source_id FOREIGN KEY(source_id) REFERENCES source (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;

CREATE TABLE supervisor (
	id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	pools JSON NOT NULL, 
	slots JSON NOT NULL, 
	version TEXT, 
	started_at DOUBLE NOT NULL, 
	heartbeat_at DOUBLE NOT NULL, 
	stopped_at DOUBLE, 
	CONSTRAINT pk_supervisor PRIMARY KEY (id)
);

CREATE TABLE tally (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	state VARCHAR(9) NOT NULL, 
	wait_reason VARCHAR(8) NOT NULL, 
	result VARCHAR(10) NOT NULL, 
	deletes BOOLEAN NOT NULL, 
	documents BIGINT NOT NULL, 
	expected BIGINT NOT NULL, 
	rejected BIGINT NOT NULL, 
	embedded BIGINT NOT NULL, noted BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_tally PRIMARY KEY (id), 
	CONSTRAINT fk_tally_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE CASCADE
);

CREATE TABLE term (
	id INTEGER NOT NULL, 
	collection_id INTEGER NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	term VARCHAR(200) NOT NULL, 
	label VARCHAR(200) NOT NULL, 
	synonym VARCHAR(200) NOT NULL, 
	mentions INTEGER NOT NULL, 
	CONSTRAINT pk_term PRIMARY KEY (id), 
	CONSTRAINT fk_term_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE, 
	CONSTRAINT fk_term_document_id FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE, 
	CONSTRAINT uq_term_document_id_term_synonym UNIQUE (document_id, term, synonym)
);

CREATE TABLE tombstone (
	mark VARCHAR(64) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	erasure_id VARCHAR(16) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	CONSTRAINT pk_tombstone PRIMARY KEY (mark), 
	CONSTRAINT ck_tombstone_kind CHECK (kind IN ('document', 'content', 'version'))
);

CREATE TABLE unreadable_message (
	id INTEGER NOT NULL, 
	queue TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	headers JSON NOT NULL, 
	times INTEGER NOT NULL, 
	received_at DOUBLE NOT NULL, 
	last_received_at DOUBLE NOT NULL, 
	resolved_at DOUBLE, 
	resolution VARCHAR(10), 
	resolution_reason TEXT, 
	CONSTRAINT pk_unreadable_message PRIMARY KEY (id), 
	CONSTRAINT ck_unreadable_message_resolved CHECK ((resolved_at IS NULL) = (resolution IS NULL)), 
	CONSTRAINT ck_unreadable_message_resolution CHECK (resolution IS NULL OR resolution = 'discarded')
);

CREATE TABLE "usage" (
	id INTEGER NOT NULL, 
	job_id INTEGER, 
	provider TEXT NOT NULL, 
	model TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	inputs INTEGER NOT NULL, 
	cached INTEGER NOT NULL, 
	tokens_in BIGINT NOT NULL, 
	tokens_out BIGINT NOT NULL, 
	cost_microusd BIGINT, 
	created_at DOUBLE NOT NULL, 
	collection_id INTEGER, 
	documents JSON, 
	lane VARCHAR(4) DEFAULT 'live' NOT NULL, 
	state VARCHAR(10) DEFAULT 'settled' NOT NULL, 
	cache_read BIGINT DEFAULT '0' NOT NULL, 
	cache_write BIGINT DEFAULT '0' NOT NULL, 
	cache_saved_microusd BIGINT DEFAULT '0' NOT NULL, 
	lane_saved_microusd BIGINT DEFAULT '0' NOT NULL, 
	price TEXT DEFAULT 'free' NOT NULL, 
	request_id TEXT, 
	owner TEXT, 
	settled_at DOUBLE, cached_tokens BIGINT DEFAULT '0' NOT NULL, milliunits BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_usage PRIMARY KEY (id), 
	CONSTRAINT fk_usage_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE SET NULL, 
	CONSTRAINT fk_usage_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE SET NULL, 
	CONSTRAINT ck_usage_lane CHECK (lane IN ('live', 'bulk')), 
	CONSTRAINT ck_usage_state CHECK (state IN ('reserved', 'settled', 'released', 'unsettled')), 
	CONSTRAINT ck_usage_settled CHECK ((state = 'reserved') = (settled_at IS NULL)), 
	CONSTRAINT ck_usage_priced CHECK ((price = 'unpriced') = (cost_microusd IS NULL))
, CONSTRAINT ck_usage_amounts CHECK (inputs >= 0 AND cached >= 0 AND cached_tokens >= 0 AND tokens_in >= 0 AND tokens_out >= 0 AND cache_read >= 0 AND cache_write >= 0 AND milliunits >= 0 AND coalesce(cost_microusd, 0) >= 0));

CREATE TABLE verdict (
	address VARCHAR(32) NOT NULL, 
	model TEXT NOT NULL, 
	prompt_name TEXT NOT NULL, 
	prompt_hash VARCHAR(16) NOT NULL, 
	source VARCHAR(8) NOT NULL, 
	body JSON NOT NULL, 
	decision VARCHAR(8), 
	created_at DOUBLE NOT NULL, used_at DOUBLE DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_verdict PRIMARY KEY (address), 
	CONSTRAINT ck_verdict_source CHECK (source IN ('model', 'rules')), 
	CONSTRAINT ck_verdict_decision CHECK (decision IS NULL OR decision IN ('accepted', 'rejected'))
);

CREATE TABLE verdict_hold (
	address VARCHAR(32) NOT NULL, 
	owner TEXT NOT NULL, 
	until DOUBLE NOT NULL, 
	CONSTRAINT pk_verdict_hold PRIMARY KEY (address)
);

CREATE TABLE visited_host (
	place VARCHAR(300) NOT NULL, 
	due_at DOUBLE NOT NULL, 
	CONSTRAINT pk_visited_host PRIMARY KEY (place)
);

CREATE TABLE word_delta (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	collection_id INTEGER NOT NULL, 
	rows BIGINT NOT NULL, 
	words BIGINT NOT NULL, 
	terms BLOB NOT NULL, 
	CONSTRAINT fk_word_delta_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE word_edition (
	document_id VARCHAR(32) NOT NULL, 
	collection_id INTEGER NOT NULL, 
	edition TEXT NOT NULL, 
	rows INTEGER NOT NULL, 
	words INTEGER NOT NULL, 
	terms BLOB NOT NULL, 
	CONSTRAINT pk_word_edition PRIMARY KEY (document_id), 
	CONSTRAINT fk_word_edition_collection_id FOREIGN KEY(collection_id) REFERENCES collection (id) ON DELETE CASCADE
);

CREATE TABLE work (
	id INTEGER NOT NULL, 
	job_id INTEGER NOT NULL, 
	document_id VARCHAR(32) NOT NULL, 
	generation INTEGER NOT NULL, 
	deletes BOOLEAN DEFAULT false NOT NULL, 
	stage VARCHAR(32) NOT NULL, 
	state VARCHAR(9) NOT NULL, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	crashes INTEGER DEFAULT '0' NOT NULL, 
	max_attempts INTEGER NOT NULL, 
	epoch INTEGER DEFAULT '0' NOT NULL, 
	lease VARCHAR(32), 
	lease_until DOUBLE, 
	claimed_at DOUBLE, 
	claimed_with INTEGER, 
	worker TEXT, 
	dispatched_at DOUBLE, 
	available_at DOUBLE, 
	wait_reason VARCHAR(8), 
	size BIGINT NOT NULL, 
	content_hash VARCHAR(64) NOT NULL, 
	settings_hash VARCHAR(32) NOT NULL, 
	version VARCHAR(16) NOT NULL, 
	origin JSON NOT NULL, 
	title TEXT DEFAULT '' NOT NULL, 
	chunks_ref TEXT, 
	rejections_ref TEXT, 
	chunks_expected INTEGER DEFAULT '0' NOT NULL, 
	chunks_rejected INTEGER DEFAULT '0' NOT NULL, 
	chunks_embedded INTEGER DEFAULT '0' NOT NULL, 
	result VARCHAR(10), 
	reason TEXT, 
	created_at DOUBLE NOT NULL, 
	finished_at DOUBLE, paced_seconds DOUBLE, chunks_split INTEGER DEFAULT '0' NOT NULL, notes TEXT, failing_since DOUBLE, source_state TEXT, 
	CONSTRAINT pk_work PRIMARY KEY (id), 
	CONSTRAINT ck_work_result CHECK ((state = 'completed') = (result IS NOT NULL)), 
	CONSTRAINT ck_work_lease CHECK ((state = 'running') = (lease IS NOT NULL)), 
	CONSTRAINT ck_work_waiting CHECK ((state = 'waiting') = (wait_reason IS NOT NULL)), 
	CONSTRAINT ck_work_finished CHECK ((state IN ('cancelled', 'completed', 'dead')) = (finished_at IS NOT NULL)), 
	CONSTRAINT ck_work_state CHECK (state IN ('pending', 'queued', 'running', 'waiting', 'completed', 'dead', 'cancelled')), 
	CONSTRAINT ck_work_wait_reason CHECK (wait_reason IS NULL OR wait_reason IN ('retry', 'rate', 'budget', 'paused', 'circuit', 'bulk', 'key')), 
	CONSTRAINT ck_work_lease_until CHECK ((lease IS NULL) = (lease_until IS NULL)), 
	CONSTRAINT fk_work_document_id FOREIGN KEY(document_id) REFERENCES document (id) ON DELETE CASCADE, 
	CONSTRAINT fk_work_job_id FOREIGN KEY(job_id) REFERENCES job (id) ON DELETE CASCADE, 
	CONSTRAINT uq_work_job_id_document_id UNIQUE (job_id, document_id)
);

CREATE TABLE "worker" (
	id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	queues JSON NOT NULL, 
	started_at DOUBLE NOT NULL, 
	heartbeat_at DOUBLE NOT NULL, 
	stopped_at DOUBLE, 
	broker_refusals INTEGER DEFAULT '0' NOT NULL, 
	broker_refusal TEXT, 
	supervisor TEXT, 
	kind VARCHAR(8) DEFAULT 'prefork' NOT NULL, 
	state VARCHAR(8) DEFAULT 'starting' NOT NULL, 
	slots INTEGER DEFAULT '1' NOT NULL, 
	wanted_slots INTEGER, 
	drain BOOLEAN DEFAULT false NOT NULL, 
	busy INTEGER DEFAULT '0' NOT NULL, 
	batches BIGINT DEFAULT '0' NOT NULL, 
	documents BIGINT DEFAULT '0' NOT NULL, 
	rate DOUBLE DEFAULT '0' NOT NULL, 
	rss_bytes BIGINT, 
	version TEXT, 
	last_message_at DOUBLE, 
	last_claim_at DOUBLE, 
	CONSTRAINT pk_worker PRIMARY KEY (id), 
	CONSTRAINT ck_worker_state CHECK (state IN ('starting', 'idle', 'busy', 'paused', 'draining', 'stopped', 'lost'))
);

CREATE INDEX ix_job_open ON job (id) WHERE finished_at IS NULL;

CREATE INDEX ix_document_collection_id ON document (collection_id, id);

CREATE INDEX ix_scan_note_job_id ON scan_note (job_id);

CREATE INDEX ix_work_document_id ON work (document_id);

CREATE INDEX ix_work_job_state ON work (job_id, state, stage);

CREATE INDEX ix_work_lease ON work (lease) WHERE state = 'running';

CREATE INDEX ix_work_queued ON work (dispatched_at) WHERE state = 'queued';

CREATE INDEX ix_dead_letter_job_id ON dead_letter (job_id);

CREATE INDEX ix_dead_letter_work_id ON dead_letter (work_id);

CREATE UNIQUE INDEX ux_unreadable_message_open ON unreadable_message (digest) WHERE resolved_at IS NULL;

CREATE INDEX ix_work_pending ON work (job_id, id) WHERE state = 'pending';

CREATE INDEX ix_work_due ON work (job_id, available_at) WHERE state = 'waiting';

CREATE INDEX ix_work_waiting ON work (job_id, stage, wait_reason, available_at) WHERE state = 'waiting';

CREATE INDEX ix_work_trouble ON work (job_id, id) WHERE reason IS NOT NULL AND finished_at IS NULL;

CREATE INDEX ix_work_skipped ON work (job_id, id) WHERE result = 'skipped';

CREATE UNIQUE INDEX uq_tally_place ON tally (job_id, stage, state, wait_reason, result, deletes);

CREATE INDEX ix_dead_letter_replay_id ON dead_letter (replay_id);

CREATE INDEX ix_dead_letter_open ON dead_letter (id) WHERE resolved_at IS NULL;

CREATE INDEX ix_dead_letter_cause ON dead_letter (fingerprint, id) WHERE resolved_at IS NULL;

CREATE INDEX ix_work_finished ON work (job_id, finished_at) WHERE finished_at IS NOT NULL;

CREATE INDEX ix_usage_job_id ON usage (job_id);

CREATE INDEX ix_usage_created_at ON usage (created_at);

CREATE INDEX ix_usage_reserved ON usage (id) WHERE state = 'reserved';

CREATE INDEX ix_verdict_hold_owner ON verdict_hold (owner);

CREATE INDEX ix_sample_collection_id ON sample (collection_id);

CREATE INDEX ix_sample_job_id ON sample (job_id);

CREATE INDEX ix_sample_pending ON sample (available_at) WHERE state = 'pending';

CREATE INDEX ix_review_address ON review (address);

CREATE INDEX ix_review_collection_id ON review (collection_id);

CREATE INDEX ix_term_collection_id_term ON term (collection_id, term);

CREATE INDEX ix_bulk_batch_job_id ON bulk_batch (job_id);

CREATE INDEX ix_bulk_batch_usage_id ON bulk_batch (usage_id);

CREATE INDEX ix_bulk_batch_open ON bulk_batch (due_at) WHERE ended_at IS NULL;

CREATE INDEX ix_bulk_entry_job_id ON bulk_entry (job_id, state);

CREATE INDEX ix_bulk_entry_batch_id ON bulk_entry (batch_id);

CREATE INDEX ix_bulk_wait_work_id ON bulk_wait (work_id);

CREATE INDEX ix_verdict_used_at ON verdict (used_at);

CREATE INDEX ix_work_split ON work (job_id) WHERE chunks_split > 0;

CREATE INDEX ix_work_noted ON work (job_id, id) WHERE notes IS NOT NULL;

CREATE INDEX ix_document_noted ON document (collection_id, id) WHERE notes IS NOT NULL;

CREATE TRIGGER work_tally_insert AFTER INSERT ON work BEGIN INSERT INTO tally (job_id, stage, state, wait_reason, result, deletes, documents, expected, rejected, embedded, noted) VALUES (new.job_id, new.stage, new.state, coalesce(new.wait_reason, ''), coalesce(new.result, ''), new.deletes, 1, new.chunks_expected, new.chunks_rejected, new.chunks_embedded, CASE WHEN new.notes IS NULL THEN 0 ELSE 1 END) ON CONFLICT (job_id, stage, state, wait_reason, result, deletes) DO UPDATE SET documents = documents + excluded.documents, expected = expected + excluded.expected, rejected = rejected + excluded.rejected, embedded = embedded + excluded.embedded, noted = noted + excluded.noted; END;

CREATE TRIGGER work_tally_update AFTER UPDATE OF stage, state, wait_reason, result, deletes, chunks_expected, chunks_rejected, chunks_embedded, notes ON work WHEN old.stage IS NOT new.stage OR old.state IS NOT new.state OR old.wait_reason IS NOT new.wait_reason OR old.result IS NOT new.result OR old.deletes IS NOT new.deletes OR old.chunks_expected IS NOT new.chunks_expected OR old.chunks_rejected IS NOT new.chunks_rejected OR old.chunks_embedded IS NOT new.chunks_embedded OR old.notes IS NOT new.notes BEGIN UPDATE tally SET documents = documents - 1, expected = expected - old.chunks_expected, rejected = rejected - old.chunks_rejected, embedded = embedded - old.chunks_embedded, noted = noted - CASE WHEN old.notes IS NULL THEN 0 ELSE 1 END WHERE job_id = old.job_id AND stage = old.stage AND state = old.state AND wait_reason = coalesce(old.wait_reason, '') AND result = coalesce(old.result, '') AND deletes = old.deletes; INSERT INTO tally (job_id, stage, state, wait_reason, result, deletes, documents, expected, rejected, embedded, noted) VALUES (new.job_id, new.stage, new.state, coalesce(new.wait_reason, ''), coalesce(new.result, ''), new.deletes, 1, new.chunks_expected, new.chunks_rejected, new.chunks_embedded, CASE WHEN new.notes IS NULL THEN 0 ELSE 1 END) ON CONFLICT (job_id, stage, state, wait_reason, result, deletes) DO UPDATE SET documents = documents + excluded.documents, expected = expected + excluded.expected, rejected = rejected + excluded.rejected, embedded = embedded + excluded.embedded, noted = noted + excluded.noted; END;

CREATE TRIGGER work_tally_delete AFTER DELETE ON work BEGIN UPDATE tally SET documents = documents - 1, expected = expected - old.chunks_expected, rejected = rejected - old.chunks_rejected, embedded = embedded - old.chunks_embedded, noted = noted - CASE WHEN old.notes IS NULL THEN 0 ELSE 1 END WHERE job_id = old.job_id AND stage = old.stage AND state = old.state AND wait_reason = coalesce(old.wait_reason, '') AND result = coalesce(old.result, '') AND deletes = old.deletes; END;

CREATE INDEX ix_scan_source_id ON scan (source_id, id);

CREATE INDEX ix_scan_job_id ON scan (job_id, state);

CREATE INDEX ix_claim_document_id ON claim (document_id);

CREATE UNIQUE INDEX uq_job_identity ON job (collection_id, identity) WHERE finished_at IS NULL;

CREATE INDEX ix_document_uri ON document (collection_id, uri) WHERE active_version IS NOT NULL OR generation > active_generation;

CREATE INDEX ix_document_deleted ON document (collection_id, id) WHERE active_version IS NULL AND active_generation > 0;

CREATE INDEX ix_document_empty ON document (collection_id, id) WHERE active_version IS NOT NULL AND chunks_expected = 0;

CREATE INDEX ix_work_left ON work (state, id) WHERE state <> 'completed';

CREATE INDEX ix_work_removing ON work (id) WHERE deletes AND finished_at IS NULL;

CREATE INDEX ix_scan_note_letter ON scan_note (job_id) WHERE letter_id IS NOT NULL;

CREATE INDEX ix_attempt_unsure ON attempt (stage, ended_at) WHERE outcome <> 'ok';

CREATE INDEX ix_word_edition_collection_id ON word_edition (collection_id, document_id);

CREATE INDEX ix_word_delta_collection_id ON word_delta (collection_id, id);

CREATE INDEX ix_query_record_collection_id_created_at ON query_record (collection_id, created_at);

CREATE INDEX ix_query_record_created_at ON query_record (created_at);

CREATE TRIGGER document_change AFTER UPDATE OF active_version, active_generation, chunks_ref, rejections_ref, title ON document WHEN old.active_version IS NOT new.active_version OR old.active_generation IS NOT new.active_generation OR old.chunks_ref IS NOT new.chunks_ref OR old.rejections_ref IS NOT new.rejections_ref OR old.title IS NOT new.title BEGIN INSERT INTO collection_change (collection_id, writer, changes) SELECT id, 0, 1 FROM collection WHERE id = new.collection_id ON CONFLICT (collection_id, writer) DO UPDATE SET changes = changes + 1; END;

CREATE TRIGGER term_change_insert AFTER INSERT ON term BEGIN INSERT INTO collection_change (collection_id, writer, changes) SELECT id, 0, 1 FROM collection WHERE id = new.collection_id ON CONFLICT (collection_id, writer) DO UPDATE SET changes = changes + 1; END;

CREATE TRIGGER term_change_update AFTER UPDATE ON term BEGIN INSERT INTO collection_change (collection_id, writer, changes) SELECT id, 0, 1 FROM collection WHERE id = new.collection_id ON CONFLICT (collection_id, writer) DO UPDATE SET changes = changes + 1; END;

CREATE TRIGGER term_change_delete AFTER DELETE ON term BEGIN INSERT INTO collection_change (collection_id, writer, changes) SELECT id, 0, 1 FROM collection WHERE id = old.collection_id ON CONFLICT (collection_id, writer) DO UPDATE SET changes = changes + 1; END;

CREATE INDEX ix_kept_answer_created_at ON kept_answer (created_at, kind, bytes);

CREATE INDEX ix_kept_answer_collection_id ON kept_answer (collection_id, changes);

CREATE INDEX ix_encryption_key_collection_id ON encryption_key (collection_id);

CREATE UNIQUE INDEX ux_encryption_key_sole ON encryption_key (kind) WHERE kind <> 'data' AND state = 'current';

CREATE UNIQUE INDEX ux_encryption_key_current ON encryption_key (collection_id) WHERE kind = 'data' AND state = 'current';

CREATE INDEX ix_erasure_open ON erasure (created_at) WHERE finished_at IS NULL;

CREATE INDEX ix_tombstone_erasure_id ON tombstone (erasure_id);

CREATE INDEX ix_schedule_due_at ON schedule (due_at);

CREATE INDEX ix_document_subject_subject ON document_subject (subject, document_id);

CREATE INDEX ix_audit_record_at ON audit_record (at);

CREATE TRIGGER audit_record_update BEFORE UPDATE ON audit_record BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;

CREATE TRIGGER audit_record_delete BEFORE DELETE ON audit_record WHEN old.seq > coalesce((SELECT floor FROM audit_head WHERE chain = old.chain), 0) BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;

CREATE TRIGGER audit_head_update BEFORE UPDATE ON audit_head WHEN new.chain <> old.chain OR new.seq < old.seq OR new.floor < old.floor OR new.floor >= new.seq BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;

CREATE TRIGGER audit_head_delete BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;

CREATE TRIGGER audit_record_insert BEFORE INSERT ON audit_record WHEN EXISTS (SELECT 1 FROM audit_record WHERE chain = new.chain AND seq = new.seq) BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;

CREATE TRIGGER audit_head_insert BEFORE INSERT ON audit_head WHEN EXISTS (SELECT 1 FROM audit_head WHERE chain = new.chain) BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END;

