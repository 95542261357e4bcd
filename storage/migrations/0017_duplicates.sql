-- Contacts that may be one: partners of one INN, and owners of one address.
CREATE INDEX contact_by_inn ON contact (inn, coalesce(kpp, ''))
    WHERE inn IS NOT NULL AND deleted_at IS NULL AND merged_into IS NULL;
CREATE INDEX address_of_several ON address (id) WHERE candidates <> '{}';
