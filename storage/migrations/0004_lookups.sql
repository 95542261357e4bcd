-- Two look-ups that walked through whole tables: the companies below a partner, asked before it may change its kind, and
-- the few addresses that are ours, compared with the configuration at each start.

CREATE INDEX contact_by_parent ON contact (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX address_own ON address (kind, value) WHERE own;
