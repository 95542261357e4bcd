-- Who stands in for a user who is away and named nobody for that time.
ALTER TABLE login ADD COLUMN deputy_id uuid REFERENCES contact;
CREATE INDEX contact_by_department ON contact (department_id) WHERE department_id IS NOT NULL;
