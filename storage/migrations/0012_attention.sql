-- What wakes by itself: marks of control with a time, and plans that come due. Each is announced once.
ALTER TABLE interaction ADD COLUMN reminded_at timestamptz;
CREATE INDEX interaction_to_wake ON interaction (wake_at) WHERE on_control AND wake_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX interaction_to_remind ON interaction ((block->>'due_at'))
    WHERE kind = 'planned' AND reminded_at IS NULL AND deleted_at IS NULL;
CREATE INDEX interaction_until_reply ON interaction (chain_id) WHERE on_control AND until_reply;
CREATE INDEX interaction_put_off ON interaction (chain_id) WHERE NOT reviewed AND review_after IS NOT NULL;
